"""Who runs, who waits, who is refused: each key's requests at an endpoint, first come, first served. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many requests of one key run at once, and how many more wait."""

    concurrency: int
    queue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A key at an endpoint: requests of each are counted apart."""

    endpoint: str
    key: str


@dataclass(slots=True, eq=False)
class Turn:
    """What one request has from its beginning to its end."""

    caller: Caller
    begin: Callable[[], None]
    has_come: bool = False


@dataclass(slots=True)
class _Line:
    concurrency: int = 0
    running: int = 0
    waiting: dict[Turn, None] = field(default_factory=dict)
    """In the order in which they came; from a dict, who leaves early is found at once."""

    def advance(self) -> None:
        while self.waiting and self.running < self.concurrency:
            turn = next(iter(self.waiting))
            del self.waiting[turn]
            self.running += 1
            turn.has_come = True
            turn.begin()


class Turns:
    """The turns of all requests that are here now."""

    def __init__(self) -> None:
        self._lines: dict[Caller, _Line] = {}

    def take(self, caller: Caller, limit: Limit, begin: Callable[[], None]) -> Turn | None:
        """Take a turn; None where as many run and wait as may. The limit that came last holds.

        `begin` is called when the turn has come, which may be at once.
        """
        line = self._lines.setdefault(caller, _Line())
        line.concurrency = limit.concurrency
        turn = Turn(caller=caller, begin=begin)
        line.waiting[turn] = None
        line.advance()
        if not turn.has_come and len(line.waiting) > limit.queue:
            del line.waiting[turn]
            return None
        return turn

    def leave(self, turn: Turn) -> None:
        """Give a turn back, whether it had come or not: the next one's has come."""
        line = self._lines[turn.caller]
        if turn.has_come:
            line.running -= 1
        else:
            del line.waiting[turn]
        line.advance()
        if not line.running and not line.waiting:
            del self._lines[turn.caller]

    def callers(self) -> int:
        """Return how many callers have requests here."""
        return len(self._lines)
