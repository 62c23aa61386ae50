"""What a text ends in that may be the beginning of what is refused: streams keep it back."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from infra.moderation.judges.literals import Parts, is_spaced
from infra.moderation.letters import BETWEEN, BLANKS
from infra.moderation.normal import as_written, readings

LAG_CHARACTERS = 64
"""RE2 cannot say whether a match may have begun. Numbers of cards and accounts, most keys are shorter."""

READ_CHARACTERS = 4096
"""Of the end of a text in which a beginning is looked for, with all gaps in it."""

_CONTEXT_CHARACTERS = 16
"""Of what is released, for what stands before a word: an escape of two halves has twelve."""

_ESCAPE_CHARACTERS = 11
"""By which a place in a text with escapes may be wrong."""

_OPEN_ESCAPE = re.compile(r"(?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\(?:u[0-9a-fA-F]{0,3})?)?$")

View = Callable[[str], str]


class Beginnings(Protocol):
    """Knows how things begin that are refused."""

    def held(self, before: str, end: str, view: View) -> int:
        """Return how much of a text's end one may be of which the beginning is there, in a view of it."""
        ...


class Lag:
    """Takes the last characters for the beginning of anything."""

    def held(self, before: str, end: str, view: View) -> int:
        """Return where so many characters begin that are seen."""
        return _written(end, LAG_CHARACTERS, view)


class WordBeginnings:
    """Looks for the beginnings of listed words where these may stand."""

    def __init__(self, words: Iterable[Parts]) -> None:
        # Decomposed, as a syllable of Hangul may be the beginning of another one.
        self._words = sorted({_decomposed(" ".join(parts)) for parts in words if parts})
        self._firsts = frozenset(word[0] for word in self._words)

    def held(self, before: str, end: str, view: View) -> int:
        """Return how long the longest beginning is that the text ends in."""

        def decomposed(text: str) -> str:
            return _decomposed(view(text))

        text = decomposed(before + end)
        for start in range(1 if before else 0, len(text)):
            if text[start] in self._firsts and self._is_beginning(text, start):
                return _written(end, len(text) - start, decomposed)
        return 0

    def _is_beginning(self, text: str, start: int) -> bool:
        if start and is_spaced(text[start]) and is_spaced(text[start - 1]):
            return False
        read, last = {""}, ""
        for character in text[start:]:
            is_gap = character == BETWEEN or character in BLANKS
            if is_gap and character == last:
                continue
            last = character
            more = {each if each.endswith(" ") else f"{each} " for each in read} if is_gap else set()
            if character == BETWEEN:
                more |= read
            elif not is_gap:
                more = {each + character for each in read}
            read = {each for each in more if self._has(each)}
            if not read:
                return False
        return True

    def _has(self, beginning: str) -> bool:
        place = bisect_left(self._words, beginning)
        return place < len(self._words) and self._words[place].startswith(beginning)


def held(beginnings: Beginnings, views: Sequence[View], seen: str, new: str) -> int:
    """Return how many characters at the end of a text may be the beginning of what is refused."""
    end = new[-READ_CHARACTERS:]
    before = (seen + new)[: -len(end) or None][-_CONTEXT_CHARACTERS:]
    longest = 0
    for reading in readings(before + end):
        whole, more = end, 0
        if reading is not as_written:
            whole = _OPEN_ESCAPE.sub("", end)
            more = len(end) - len(whole)
        for view in views:
            length = beginnings.held(before, whole, _both(view, reading))
            if length and reading is not as_written:
                length += _ESCAPE_CHARACTERS
            longest = max(longest, length + more)
    return min(longest, len(new))


def _both(view: View, reading: View) -> View:
    return lambda text: view(reading(text))


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _written(text: str, length: int, view: View) -> int:
    """Return how many characters at a text's end have so many in a view of it."""
    taken = length
    while taken < len(text) and (missing := length - len(view(text[-taken:]))) > 0:
        taken += max(missing, taken // 4)
    return taken
