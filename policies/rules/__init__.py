"""One rule per file, its cases beside it."""
