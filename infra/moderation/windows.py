"""What of a stream may go on, and what has to be judged before: the text between is held back."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.moderation.events import ENVELOPE, Splitter, event_texts
from infra.moderation.judges.protocol import Failed, Found, Matcher, Refused
from infra.moderation.normal import tail
from infra.moderation.unreadable import UnreadableError

OVERLAP_CHARACTERS = 512
"""Of judged text, read again with what follows: a longer match is found only where it is in one window."""

SENTENCE_CHARACTERS = 80
"""A window ends with a sentence, but not before so much text."""

WINDOW_CHARACTERS = 320
"""A window ends anyway: a few seconds of a model's text at reading speed, less at full speed."""

OPEN_CHARACTERS = 4096
"""Text that may yet become a match is held back until here; then it counts as one."""

HELD_BYTES_MAX = 16 << 20
"""Of events whose text is not judged yet; they are mostly log probabilities then."""

_SENTENCE_ENDS = (".", "!", "?", "\n", "。", "！", "？", "…")  # noqa: RUF001 - ends of Chinese sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Events that may go on once the texts have passed the askers; no texts: at once."""

    events: bytes
    texts: tuple[str, ...]


Step = Window | Refused | Failed
"""Refused and Failed end a stream: nothing that comes after is released."""


@dataclass(slots=True)
class _Channel:
    seen: str = ""
    """The end of what the matchers have found nothing in."""
    open: str = ""
    """What comes after, and may become a match."""
    open_for: Matcher | None = None
    asked: str = ""
    """The end of the text of earlier windows."""
    unasked: list[str] = field(default_factory=list)
    unasked_characters: int = 0


class Windows:
    """Turns the bytes of a stream into windows; the same ones however the bytes are cut."""

    def __init__(self, matchers: Sequence[Matcher], *, asks: bool) -> None:
        self._matchers = matchers
        self._asks = asks
        self._splitter = Splitter()
        self._channels: dict[str, _Channel] = {}
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._window_full = False
        self._ended = False

    @property
    def unread_bytes(self) -> int:
        """Return how much of an event is there that is not whole."""
        return self._splitter.unread_bytes

    def feed(self, chunk: bytes, *, end: bool) -> list[Step]:
        """Return the steps that follow from the next bytes; end: they are the last ones."""
        if self._ended:
            return []
        steps: list[Step] = []
        try:
            events = self._splitter.feed(chunk)
            for event in events + (self._splitter.finish() if end else []):
                refusal = self._read(event)
                if refusal is not None:
                    self._ended = True
                    return [*_merged(steps), refusal]
                if self._is_window():
                    steps.append(self._window())
        except UnreadableError as error:
            self._ended = True
            return [*_merged(steps), Failed(judge="reader", why=str(error))]
        if end:
            self._ended = True
            steps.append(self._last())
        return _merged(steps)

    def _read(self, event: bytes) -> Refused | Failed | None:
        self._held.append(event)
        self._held_bytes += len(event)
        if self._held_bytes > HELD_BYTES_MAX:
            return Failed(judge="reader", why="too much text without an end")
        for name, text in event_texts(event):
            channel = self._channels.setdefault(name, _Channel())
            refusal = self._match(channel, text)
            if refusal is not None:
                return refusal
            if self._asks and name != ENVELOPE:
                channel.unasked.append(text)
                channel.unasked_characters += len(text)
                self._window_full |= _is_full(channel, text)
        return None

    def _match(self, channel: _Channel, text: str) -> Refused | None:
        new = channel.open + text
        open_for: Matcher | None = None
        for matcher in self._matchers:
            found = matcher.find(channel.seen, new, final=False)
            if found is Found.REFUSED or (found is Found.OPEN and len(new) > OPEN_CHARACTERS):
                return Refused(judge=matcher.kind)
            if found is Found.OPEN:
                open_for = open_for or matcher
        channel.open_for = open_for
        if open_for is None:
            channel.seen, channel.open = tail(channel.seen + new, OVERLAP_CHARACTERS), ""
        else:
            channel.open = new
        return None

    def _is_window(self) -> bool:
        if any(channel.open_for for channel in self._channels.values()):
            return False
        return self._window_full or not self._asks

    def _window(self) -> Window:
        texts = []
        for channel in self._channels.values():
            if channel.unasked:
                whole = channel.asked + "".join(channel.unasked)
                texts.append(whole)
                channel.asked = tail(whole, OVERLAP_CHARACTERS)
                channel.unasked.clear()
                channel.unasked_characters = 0
        events = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        self._window_full = False
        return Window(events=events, texts=tuple(texts))

    def _last(self) -> Step:
        for channel in self._channels.values():
            if channel.open_for is not None:
                return Refused(judge=channel.open_for.kind)
        return self._window()


def _is_full(channel: _Channel, text: str) -> bool:
    enough = SENTENCE_CHARACTERS if text.rstrip(" ").endswith(_SENTENCE_ENDS) else WINDOW_CHARACTERS
    return channel.unasked_characters >= enough


def _merged(steps: list[Step]) -> list[Step]:
    """Return the steps with neighbours that need no question made one: fewer messages."""
    merged: list[Step] = []
    for step in steps:
        last = merged[-1] if merged else None
        if isinstance(step, Window) and isinstance(last, Window) and not step.texts and not last.texts:
            merged[-1] = Window(events=last.events + step.events, texts=())
        else:
            merged.append(step)
    return merged
