"""Texts cut to what a judge somewhere else can read at once."""

from collections.abc import Iterable, Iterator

OVERLAP_CHARACTERS = 512
"""Pieces of a long text begin with the end of the piece before."""


def pieces(texts: Iterable[str], characters: int) -> Iterator[str]:
    """Return the texts, long ones in overlapping pieces."""
    for text in texts:
        for start in range(0, max(1, len(text) - OVERLAP_CHARACTERS), characters - OVERLAP_CHARACTERS):
            yield text[start : start + characters]
