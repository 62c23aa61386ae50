"""What is said of a body that nobody can judge."""


class UnreadableError(Exception):
    """A body is not what it should be; the message has no text of callers or models."""


class TooHeavyError(UnreadableError):
    """A body would take longer to read than any that people write."""
