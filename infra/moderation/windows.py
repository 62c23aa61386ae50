"""What of a stream may go on, and what has to be judged before: the text between is held back."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from infra.moderation.events import ENVELOPE, Splitter, event_texts
from infra.moderation.judges.protocol import Failed, Found, Matcher, Refused
from infra.moderation.normal import tail
from infra.moderation.texts import ChannelText
from infra.moderation.unreadable import UnreadableError

OVERLAP_CHARACTERS = 512
"""Of judged text, read again with what follows: a longer match is found only where it is in one window."""

SENTENCE_CHARACTERS = 80
"""A window ends with a sentence, but not before so much text."""

WINDOW_CHARACTERS = 320
"""A window ends anyway: a few seconds of a model's text at reading speed, less at full speed."""

OPEN_CHARACTERS = 4096
"""A match that may yet become none is held back until here; then it counts as one."""

OTHERS_CHARACTERS = 1024
"""After so much text of other choices a beginning is none: engines write choices side by side."""

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


@dataclass(slots=True, eq=False)
class _Channel:
    choice: str
    """How the names of all of its choice's channels begin."""
    seen: str = ""
    """The end of what the matchers have found nothing in."""
    open: str = ""
    """What comes after, and may become a match."""
    open_for: Matcher | None = None
    """Who finds a match in it that may yet become none."""
    read_characters: int = 0
    others_characters: int = 0
    """Of other channels, since this one had text."""
    asked: str = ""
    """The end of the text of earlier windows."""
    unasked: list[str] = field(default_factory=list)
    unasked_characters: int = 0

    @property
    def passed_characters(self) -> int:
        """Return how much of the text may go on."""
        return self.read_characters - len(self.open)

    def keep(self, characters: int) -> None:
        """Hold back so much of the end of what is open."""
        at = len(self.open) - characters
        self.seen, self.open = tail(self.seen + self.open[:at], OVERLAP_CHARACTERS), self.open[at:]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    event: bytes
    needs: tuple[tuple[_Channel, int], ...]
    """How much of which channels' text it ends with."""

    def may_go(self) -> bool:
        return all(characters <= channel.passed_characters for channel, characters in self.needs)


class Windows:
    """Turns the bytes of a stream into windows; the same ones however the bytes are cut."""

    def __init__(self, matchers: Sequence[Matcher], *, asks: bool) -> None:
        self._matchers = matchers
        self._asks = asks
        self._splitter = Splitter()
        self._channels: dict[str, _Channel] = {}
        self._waiting: dict[str, _Channel] = {}
        self._held: deque[_Held] = deque()
        self._held_bytes = 0
        self._asked_events = 0
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
                window = self._window(self._window_full)
                if window.events or window.texts:
                    steps.append(window)
        except UnreadableError as error:
            self._ended = True
            return [*_merged(steps), Failed(judge="reader", why=str(error))]
        if end:
            self._ended = True
            steps.append(self._last())
        return _merged(steps)

    def _read(self, event: bytes) -> Refused | Failed | None:
        self._held_bytes += len(event)
        if self._held_bytes > HELD_BYTES_MAX:
            return Failed(judge="reader", why="too much text without an end")
        texts = event_texts(event)
        needs: dict[_Channel, int] = {}
        for name, text in texts:
            channel = self._channels.setdefault(name, _Channel(choice=_choice(name)))
            refusal = self._match(name, channel, text)
            if refusal is not None:
                return refusal
            needs[channel] = channel.read_characters
            if self._asks and name != ENVELOPE:
                channel.unasked.append(text)
                channel.unasked_characters += len(text)
                self._window_full |= _is_full(channel, text)
        self._held.append(_Held(event=event, needs=tuple(needs.items())))
        self._give_up(texts)
        return None

    def _match(self, name: str, channel: _Channel, text: str) -> Refused | None:
        channel.open += text
        channel.read_characters += len(text)
        channel.others_characters = 0
        channel.open_for = None
        for matcher in self._matchers:
            found = matcher.find(channel.seen, channel.open, final=False)
            if found is Found.REFUSED or (found is Found.OPEN and len(channel.open) > OPEN_CHARACTERS):
                return Refused(judge=matcher.kind)
            if found is Found.OPEN:
                channel.open_for = channel.open_for or matcher
        if channel.open_for is None:
            # What surrounds an answer's texts is the engine's own, and comes whole.
            held = (each.held(channel.seen, channel.open) for each in self._matchers if name != ENVELOPE)
            channel.keep(max(held, default=0))
        if channel.open:
            self._waiting[name] = channel
        else:
            self._waiting.pop(name, None)
        return None

    def _give_up(self, texts: Iterable[ChannelText]) -> None:
        """Let beginnings go that nothing continues: their choice goes on elsewhere, or the others do."""
        lengths = {name: len(text) for name, text in texts if name != ENVELOPE and ".logprobs" not in name}
        for name, channel in list(self._waiting.items()):
            if channel.open_for or name in lengths or not lengths:
                continue
            channel.others_characters += sum(lengths.values())
            own = any(other.startswith(channel.choice) for other in lengths)
            if own or channel.others_characters > OTHERS_CHARACTERS:
                channel.keep(0)
                del self._waiting[name]

    def _window(self, full: bool) -> Window:
        """Return the events that may go on, and where a window is full, its texts."""
        texts = []
        for channel in self._channels.values() if full else ():
            if channel.unasked:
                whole = channel.asked + "".join(channel.unasked)
                texts.append(whole)
                channel.asked = tail(whole, OVERLAP_CHARACTERS)
                channel.unasked.clear()
                channel.unasked_characters = 0
        if full or not self._asks:
            self._asked_events = len(self._held)
            self._window_full = False
        events: list[bytes] = []
        while self._asked_events and self._held[0].may_go():
            events.append(self._held.popleft().event)
            self._asked_events -= 1
        self._held_bytes -= sum(map(len, events))
        return Window(events=b"".join(events), texts=tuple(texts))

    def _last(self) -> Step:
        for channel in self._waiting.values():
            if channel.open_for is not None:
                return Refused(judge=channel.open_for.kind)
            channel.keep(0)
        return self._window(full=True)


def _choice(name: str) -> str:
    """Return how the names of a choice's channels begin; what belongs to none ends with any text."""
    return ".".join([*name.split(".")[:2], ""]) if name.startswith("choices.") else ""


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
