"""How much of large bodies is in the moderator's memory at a time; what finds no room waits in Envoy."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from infra.moderation.unreadable import UnreadableError
from infra.render.gateway.errors import MAX_BODY_MIB

FREE_BYTES = 64 << 10
"""A body up to here needs no room, and so waits for no larger one."""

LARGE_BYTES = 1 << 20
"""Larger bodies take up to seconds to judge, and wait for each other only."""

MESSAGE_BYTES_MAX = (MAX_BODY_MIB + 1) << 20
"""A whole request is one message, and what the gateway keeps of an answer until all of it is there."""

ANSWER_BYTES_MAX = 64 << 20
"""Of an answer that is judged whole; the longest context with log probabilities stays below."""


class NoRoomError(UnreadableError):
    """There was no room for a body in time."""

    def __init__(self) -> None:
        super().__init__("too many large bodies at once")


class Room:
    """Bytes that bodies take up together; who comes first gets room first."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._free_bytes = size_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def take_now(self, wanted_bytes: int) -> "Share":
        """Take room, all of it for what is larger; raise NoRoomError where there is none."""
        wanted_bytes = min(wanted_bytes, self._size_bytes)
        if self._waiting or wanted_bytes > self._free_bytes:
            raise NoRoomError
        self._free_bytes -= wanted_bytes
        return Share(self, wanted_bytes)

    async def take(self, wanted_bytes: int, *, within_seconds: float) -> "Share":
        """Wait for room; raise NoRoomError where there is none in time."""
        try:
            return self.take_now(wanted_bytes)
        except NoRoomError:
            wanted_bytes = min(wanted_bytes, self._size_bytes)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (wanted_bytes, turn)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(within_seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.give(wanted_bytes)
            else:
                self._waiting.remove(entry)
                self._let_in()
            if isinstance(error, TimeoutError):
                raise NoRoomError from None
            raise
        return Share(self, wanted_bytes)

    def give(self, given_bytes: int) -> None:
        """Give room back, and let those in who waited for it."""
        self._free_bytes += given_bytes
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free_bytes:
            wanted_bytes, turn = self._waiting[0]
            if turn.cancelled():
                return  # who left goes on from here
            self._waiting.popleft()
            self._free_bytes -= wanted_bytes
            turn.set_result(None)


@dataclass(slots=True, eq=False)
class Share:
    """What one body has of a room: taken before the body is there, so that nobody waits for more."""

    _room: Room
    _bytes: int

    def __enter__(self) -> None:
        """Have it for a while."""

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self.keep(0)

    def keep(self, needed_bytes: int) -> None:
        """Give back what is more than needed."""
        given_bytes = max(0, self._bytes - needed_bytes)
        self._bytes -= given_bytes
        if given_bytes:
            self._room.give(given_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Two rooms: bodies of some size do not wait for large ones."""

    middle: Room
    large: Room

    def of(self, size_bytes: int) -> Room:
        """Return the room for a body; a small one needs none."""
        if size_bytes <= FREE_BYTES:
            return Room(size_bytes)
        return self.middle if size_bytes <= LARGE_BYTES else self.large


def _arriving() -> Sizes:
    return Sizes(middle=Room(4 * LARGE_BYTES), large=Room(4 * MESSAGE_BYTES_MAX))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """The rooms of a moderator; always taken in this order, so that nobody waits for who waits for him.

    Their sizes hold 100 answers of 8 MB at once to 0.6 of the container's 1 GiB (test_room.py has 40). Texts
    full of signs beyond 16 bits take more: all rooms full of them were not tried.
    """

    requests_arriving: Sizes = field(default_factory=_arriving)
    """For requests that Envoy may send: what finds no room waits there."""
    answers_arriving: Sizes = field(default_factory=_arriving)
    requests: Sizes = field(default_factory=lambda: Sizes(middle=Room(48 << 20), large=Room(96 << 20)))
    """For requests that wait to be judged."""
    answers: Room = field(default_factory=lambda: Room(3 * ANSWER_BYTES_MAX))
    """For answers that wait to be judged; one that comes in parts takes room for the longest."""
    judged: Sizes = field(default_factory=lambda: Sizes(middle=Room(16 << 20), large=Room(16 << 20)))
    """For what is judged at once: it takes 4 times its size, with signs beyond 16 bits 20 times."""
