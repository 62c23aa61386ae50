"""API keys of callers: the book of them, where it is kept, and how it reaches the gateway."""
