"""Thousands of words, looked for at once: as one expression they would take RE2 seconds, or be too large."""

import re
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import compress

import re2
from ahocorasick_rs import AhoCorasick

from infra.moderation.letters import BETWEEN, BLANKS

SLICE_CHARACTERS = 16 << 10
"""Of a text that are searched at once: what is found in a slice is kept together."""

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""Scripts whose words stand side by side, or carry their particles: a word is found anywhere in a text."""

_SPACED = re2.compile(r"^[\pL\pN]$")
_NOT_SPACED = re2.compile(rf"^[{_UNSPACED}]$")

Parts = tuple[str, ...]
"""A word or a phrase, without its blanks."""


class Literals:
    """Finds listed words where no letter or digit of a spaced script touches them."""

    def __init__(self, words: Sequence[Parts]) -> None:
        single = [parts for parts in words if len(parts) == 1]
        several = [parts for parts in words if len(parts) > 1]
        self._searches = [
            _Search(listed, gaps)
            for listed, gaps in ((single, BETWEEN), (several, BLANKS + BETWEEN))
            if listed
        ]

    def ends(self, text: str) -> Iterator[int]:
        """Return where matches end."""
        for search in self._searches:
            yield from search.ends(text)


class _Search:
    """Finds words in a text without its gaps, and then looks at the gaps."""

    def __init__(self, words: Sequence[Parts], gaps: str) -> None:
        self._words = words
        self._gaps = gaps
        solid = ["".join(parts) for parts in words]
        self._automaton = AhoCorasick(solid)
        self._overlap = max(map(len, solid)) - 1

    def ends(self, text: str) -> Iterator[int]:
        solid = text
        for gap in self._gaps:
            solid = solid.replace(gap, "")
        places: Sequence[int] = range(len(text)) if solid == text else ()
        for start in range(0, len(solid), SLICE_CHARACTERS):
            part = solid[start : start + SLICE_CHARACTERS + self._overlap]
            for word, first, after in self._automaton.find_matches_as_indexes(part, overlapping=True):
                places = places or self._places(text)
                begin, end = places[start + first], places[start + after - 1] + 1
                if _stands_apart(text, begin, end) and _has_gaps(text[begin:end], self._words[word]):
                    yield end

    def _places(self, text: str) -> Sequence[int]:
        return array("I", compress(range(len(text)), (each not in self._gaps for each in text)))


def _stands_apart(text: str, begin: int, end: int) -> bool:
    before, after = text[begin - 1 : begin] if begin else "", text[end : end + 1]
    return not (_touch(before, text[begin]) or _touch(after, text[end - 1]))


def _touch(beside: str, edge: str) -> bool:
    return bool(beside) and is_spaced(beside) and is_spaced(edge)


@lru_cache(maxsize=1 << 14)
def is_spaced(character: str) -> bool:
    """Return whether a character belongs to words that stand apart."""
    return bool(_SPACED.search(character)) and not _NOT_SPACED.search(character)


def _has_gaps(found: str, parts: Parts) -> bool:
    """Return whether what may be a gap is one between parts, and blanks are nowhere else."""
    if len(parts) == 1:
        return True
    gapped = f"[{BLANKS}{BETWEEN}]+".join(f"{BETWEEN}*".join(map(re.escape, part)) for part in parts)
    return re.fullmatch(gapped, found) is not None
