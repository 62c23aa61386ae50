"""A list of words and phrases."""

from infra.moderation.judges.beginnings import WordBeginnings
from infra.moderation.judges.expressions import Expressions
from infra.moderation.judges.literals import Literals, Parts
from infra.moderation.letters import BETWEEN
from infra.moderation.normal import alike, folded


def words(listed: tuple[str, ...]) -> Expressions:
    """Return the judge of a list; a word counts where no letter or digit of a spaced script touches it."""
    forms = dict.fromkeys(_parts(view(word)) for word in listed for view in (folded, alike))
    return Expressions(
        kind="words",
        expressions=(Literals([parts for parts in forms if parts]),),
        views=(folded, alike),
        beginnings=WordBeginnings(forms),
    )


def is_empty(word: str) -> bool:
    """Return whether nothing of a word is left to look for."""
    return not _parts(folded(word))


def _parts(word: str) -> Parts:
    return tuple(word.replace(BETWEEN, "").split())
