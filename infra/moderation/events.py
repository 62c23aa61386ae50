"""Server-sent events: where one ends, and what texts it carries."""

import re

from infra.moderation.texts import ChannelText, channel_texts, document
from infra.moderation.unreadable import UnreadableError

EVENT_BYTES_MAX = 16 << 20
"""One event is one token, or a whole answer with its log probabilities."""

DONE = b"[DONE]"

ENVELOPE = "(event)"
"""The channel of comments and of events' own names, which the engine writes and no model."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_EVENT_END = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_FIELDS = (b"event", b"id", b"retry")


class Splitter:
    """Cuts a stream into events, however its bytes arrive."""

    def __init__(self) -> None:
        self._rest = b""
        self._read = 0

    @property
    def unread_bytes(self) -> int:
        """Return how much of an event is there that is not whole."""
        return len(self._rest)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the events that are complete now, with every byte of theirs."""
        self._rest += chunk
        events: list[bytes] = []
        start = 0
        while (end := _EVENT_END.search(self._rest, max(start, self._read))) is not None:
            if end.end() == len(self._rest) and self._rest.endswith(b"\r"):
                break  # the other half of a line end may follow
            events.append(self._rest[start : end.end()])
            start = end.end()
        self._read = max(0, len(self._rest) - start - 3)
        self._rest = self._rest[start:]
        if len(self._rest) > EVENT_BYTES_MAX:
            raise UnreadableError("an event that does not end")
        return events

    def finish(self) -> list[bytes]:
        """Return what is left when nothing more arrives."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


def event_texts(event: bytes) -> list[ChannelText]:
    """Return the texts of an event, each with its channel; raise UnreadableError where it is no JSON."""
    data: list[bytes] = []
    found: list[ChannelText] = []
    for line in _LINE_END.split(event):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif line and name not in _FIELDS and not line.startswith(b":"):
            raise UnreadableError("a line that is no event's")
        elif value.strip():
            found.append((ENVELOPE, _decoded(value)))
    joined = b"\n".join(data).strip()
    if joined and joined != DONE:
        found.extend(channel_texts(document(joined)))
    return found


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableError("no UTF-8") from None
