"""Lines of a log that are not as they should be: counted by what is wrong, the first few by number."""

from collections.abc import Iterator
from dataclasses import dataclass, field

_SHOWN_LINES = 3
_SHOWN_CHARACTERS = 40


class TrafficFaultError(ValueError):
    """What makes a line unusable, and the part of it that does."""

    def __init__(self, reason: str, example: object = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.example = example


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFault:
    """One thing that is wrong with one or more lines."""

    reason: str
    lines: int
    first_lines: tuple[int, ...]
    """Numbers of the first few, from 1."""
    example: str
    """What the first of them says, made printable; may be empty."""

    def __str__(self) -> str:
        first = ", ".join(map(str, self.first_lines)) + (" …" if self.lines > len(self.first_lines) else "")
        where = f"line {first}" if self.lines == 1 else f"{self.lines:,} lines ({first})"
        return f"{where}: {self.reason}" + (f", got {self.example}" if self.example else "")


@dataclass(slots=True)
class _Tally:
    example: str
    lines: int = 0
    first_lines: list[int] = field(default_factory=list)


class Faults:
    """Counts faulty lines by reason while a log is read."""

    def __init__(self) -> None:
        self._tallies: dict[str, _Tally] = {}

    def add(self, reason: str, line: int, example: object = "") -> None:
        """Count one line."""
        tally = self._tallies.get(reason)
        if tally is None:
            tally = self._tallies[reason] = _Tally(_printable(example))
        tally.lines += 1
        if len(tally.first_lines) < _SHOWN_LINES:
            tally.first_lines.append(line)

    def __iter__(self) -> Iterator[LineFault]:
        for reason, tally in sorted(self._tallies.items(), key=lambda found: found[1].first_lines[0]):
            first = tuple(tally.first_lines)
            yield LineFault(reason=reason, lines=tally.lines, first_lines=first, example=tally.example)


def _printable(example: object) -> str:
    """Write what a line says so that a terminal takes no harm."""
    text = str(example).strip()
    return ascii(text[:_SHOWN_CHARACTERS])[1:-1] + ("…" if len(text) > _SHOWN_CHARACTERS else "")
