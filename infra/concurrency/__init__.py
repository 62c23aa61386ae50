"""The limiter of each key's concurrency: counts what runs, has what comes later wait, refuses the rest."""
