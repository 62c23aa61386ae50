"""Facts about GPUs, machines, models and engines, as data."""
