"""A list of regular expressions."""

from infra.moderation.judges.beginnings import Lag
from infra.moderation.judges.expressions import Expression, Expressions
from infra.moderation.normal import as_written, keyed, parted, plain


def patterns(listed: tuple[str, ...]) -> Expressions:
    """Return the judge of a list, which reads a text as written, bare, and as a plain keyboard writes it."""
    return Expressions(
        kind="patterns",
        expressions=tuple(Expression(pattern) for pattern in listed),
        views=(as_written, plain, keyed, parted),
        beginnings=Lag(),
    )
