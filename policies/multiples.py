"""Says which multiples would be allowed where a value is none."""

from collections.abc import Iterator

from policies.reading import UnreadableError
from policies.rule import Finding, Path


def multiple(path: Path, value: int, of: int, word: str, unit: str = "") -> Iterator[Finding]:
    """Find a value that is no multiple of a step or chunk."""
    if of < 1:
        raise UnreadableError((word,), "at least 1")
    if value % of:
        below = value // of * of
        nearest = f"{below} or {below + of}"
        yield Finding(path, f"must be a multiple of the {word} {of}{unit} (nearest: {nearest}), got {value}")
