"""Why a stack is not served."""


class ServeError(Exception):
    """A part is missing, does not start or dies; says which and what it said."""
