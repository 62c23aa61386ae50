"""How a whole body is judged: in its turn, by what finds things in it, then by those who are asked."""

from collections.abc import Callable

from infra.moderation.judges.protocol import Opinion, Refused
from infra.moderation.panel import Panel
from infra.moderation.reading import Reading
from infra.moderation.room import Rooms

Read = Callable[[], tuple[tuple[str, ...], Refused | None]]
"""Returns a body's texts, and what words and patterns refuse of them."""


async def judged(panel: Panel, reading: Reading, rooms: Rooms, size_bytes: int, read: Read) -> Opinion:
    """Return what a panel thinks of a body.

    Raises:
        NoRoomError: too many others are judged.
        UnreadableError: what `read` raises.
    """
    room = rooms.judged.of(size_bytes)
    with await room.take(size_bytes, within_seconds=panel.timeout_seconds):
        texts, refused = await reading.read(size_bytes, read)
        return refused or await panel.ask(texts)
