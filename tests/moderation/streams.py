"""Streams of events, and what windows make of them."""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise

from hypothesis import strategies as st

from infra.moderation.events import event_texts
from infra.moderation.judges.patterns import patterns
from infra.moderation.judges.protocol import Matcher
from infra.moderation.judges.words import words
from infra.moderation.windows import (
    Step,
    Window,
    Windows,
)

LISTED = words(("bad word", "ass", "坏话", "é́vil"))
NUMBERS = patterns((r"\b\d{3}-\d{2}\b", r"stop$"))
JUDGES = (LISTED, NUMBERS)

# Pieces of what is refused, so that streams often come near to it.
PIECES = (
    "bad",
    " ",
    "\n",
    "word",
    "a",
    "ss",
    "坏",
    "话",
    "123",
    "-",
    "45",
    "6",
    "st",
    "op",
    ".",
    "\u200b",
    "e\u0301",
    "vil",
    "\\",
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=3).map("".join)
EVENTS = st.lists(
    st.tuples(st.sampled_from(["content", "reasoning_content"]), st.integers(0, 1), TEXTS), max_size=12
)
ENDS = st.sampled_from(["\n\n", "\r\n\r\n", "\r\r"])


def stream_of(events: Iterable[tuple[str, int, str]], end: str = "\n\n") -> bytes:
    """Return a stream that has texts, each with its field and choice."""
    chunks = [{"choices": [{"index": choice, "delta": {name: text}}]} for name, choice, text in events]
    written = [f"data: {json.dumps(chunk)}{end}" for chunk in chunks]
    return "".join([": begin" + end, *written, f"data: [DONE]{end}"]).encode()


def cut(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Return the parts of a stream that is cut at places."""
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    return [stream[start:end] for start, end in pairwise(places)]


def event_of(text: str, *, choice: int = 0, name: str = "content") -> bytes:
    """Return one event of a stream."""
    return stream_of([(name, choice, text)]).removeprefix(b": begin\n\n").removesuffix(b"data: [DONE]\n\n")


def steps_of(parts: Sequence[bytes], *, asks: bool, judges: Sequence[Matcher] = JUDGES) -> list[Step]:
    """Return what follows from the parts of a stream."""
    windows = Windows(judges, asks=asks)
    steps = [step for part in parts for step in windows.feed(part, end=False)]
    return steps + windows.feed(b"", end=True)


def outcome(steps: Sequence[Step]) -> tuple[bytes, list[tuple[str, ...]], list[object]]:
    """Return the released bytes, the questions, and how the stream ended where it was refused."""
    windows = [step for step in steps if isinstance(step, Window)]
    asked = [window.texts for window in windows if window.texts]
    return (
        b"".join(window.events for window in windows),
        asked,
        [step for step in steps if step not in windows],
    )


def texts_of(events: bytes) -> dict[str, str]:
    """Return the texts of events by their channels."""
    found: dict[str, str] = {}
    for event in events.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n"):
        for channel, text in event_texts(event):
            found[channel] = found.get(channel, "") + text
    return found
