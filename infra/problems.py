"""What is wrong with what people wrote: where, what, and what is allowed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One located complaint. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str
    rule: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message} [{self.rule}]"


class SpecError(Exception):
    """What people wrote cannot be used; carries every problem, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


_LISTED = 20
"""More names than this bury the hint."""


def allowed(names: Iterable[str], got: str | None = None) -> str:
    """Say which names are allowed, and the nearest one to a misspelt name."""
    known: Sequence[str] = sorted(names)
    listed = ", ".join(known[:_LISTED]) if known else "none"
    if len(known) > _LISTED:
        listed += f" and {len(known) - _LISTED} more"
    near = get_close_matches(got, known, n=1) if got else []
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"allowed: {listed}{hint}"
