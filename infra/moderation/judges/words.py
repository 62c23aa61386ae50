"""A list of words and phrases."""

import re2

from infra.moderation.judges.expressions import Expression, Expressions
from infra.moderation.letters import BETWEEN
from infra.moderation.normal import alike, folded

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""Scripts whose words stand side by side, or carry their particles: a word is found anywhere in a text."""

_BORDER = rf"[^\pL\pN]|[{_UNSPACED}]"
_SPACED = re2.compile(r"^(?:[\pL\pN])$")
_NOT_SPACED = re2.compile(rf"^[{_UNSPACED}]$")


def words(listed: tuple[str, ...]) -> Expressions:
    """Return the judge of a list; a word counts where no letter or digit of a spaced script touches it."""
    by_borders: dict[tuple[str, str], list[str]] = {}
    for parts in dict.fromkeys(_parts(view(word)) for word in listed for view in (folded, alike)):
        borders = (
            f"(?:^|{_BORDER})" if _is_spaced(parts[0][0]) else "",
            f"(?:$|{_BORDER})" if _is_spaced(parts[-1][-1]) else "",
        )
        # What may be a gap counts as one at a word's borders, and as nothing between its letters.
        inner = rf"[\s{BETWEEN}]+".join(f"{BETWEEN}*".join(map(re2.escape, part)) for part in parts)
        by_borders.setdefault(borders, []).append(inner)
    return Expressions(
        kind="words",
        expressions=tuple(
            Expression(f"{before}({'|'.join(inner)}){after}", group=1)
            for (before, after), inner in by_borders.items()
        ),
        views=(folded, alike),
    )


def is_empty(word: str) -> bool:
    """Return whether nothing of a word is left to look for."""
    return not _parts(folded(word))


def _parts(word: str) -> tuple[str, ...]:
    return tuple(word.replace(BETWEEN, "").split())


def _is_spaced(character: str) -> bool:
    return bool(_SPACED.search(character)) and not _NOT_SPACED.search(character)
