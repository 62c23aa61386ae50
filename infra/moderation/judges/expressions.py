"""Regular expressions over text that may go on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import re2

from infra.moderation.judges.beginnings import Beginnings, held
from infra.moderation.judges.protocol import Found, Kind
from infra.moderation.normal import readings

MEMORY_BYTES = 64 << 20
"""Of an expression's automaton: room for long alternatives before RE2 takes its slow road."""

_BORDER = 2
"""Characters at the border of judged and new text that Unicode's composition may join."""


class Finder(Protocol):
    """Something to look for."""

    def ends(self, text: str) -> Iterator[int]:
        """Return where its matches end."""
        ...


class Expression:
    """A compiled RE2 expression; `error` says what is wrong with one that is none."""

    error = re2.error

    def __init__(self, pattern: str) -> None:
        options = re2.Options()
        options.max_mem = MEMORY_BYTES
        options.log_errors = False
        self._compiled = re2.compile(pattern, options)

    def is_in(self, text: str) -> bool:
        """Return whether it is found in a text."""
        return self._compiled.search(text) is not None

    def ends(self, text: str) -> Iterator[int]:
        """Return where its matches end."""
        return (match.end() for match in self._compiled.finditer(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Expressions:
    """Refuses text in which, in one of its views, one of the expressions is found."""

    kind: Kind
    expressions: tuple[Finder, ...]
    views: tuple[Callable[[str], str], ...]
    beginnings: Beginnings

    def find(self, seen: str, new: str, *, final: bool) -> Found:
        """Judge a text whose first part was judged before; final: nothing follows."""
        found = Found.NOTHING
        for reading in readings(seen + new):
            whole = reading(seen + new)
            for text, view in {view(whole): view for view in self.views}.items():
                start: int | None = None
                for end in self._ends(text):
                    if start is None:
                        start = len(view(reading(seen))) - _BORDER if seen else 0
                    if start > 0 and end <= start:
                        continue
                    if final or end < len(text):
                        return Found.REFUSED
                    found = Found.OPEN
        return found

    def held(self, seen: str, new: str) -> int:
        """Return how many characters at the end of a text may be the beginning of what is refused."""
        return held(self.beginnings, self.views, seen, new)

    def _ends(self, text: str) -> Iterator[int]:
        for expression in self.expressions:
            yield from expression.ends(text)
