"""A list of regular expressions."""

from infra.moderation.judges.expressions import Expression, Expressions
from infra.moderation.normal import as_written, plain


def patterns(listed: tuple[str, ...]) -> Expressions:
    """Return the judge of a list, which reads a text as written, and without width and what is not seen."""
    return Expressions(
        kind="patterns",
        expressions=tuple(Expression(pattern) for pattern in listed),
        views=(as_written, plain),
    )
