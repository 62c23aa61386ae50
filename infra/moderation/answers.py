"""The roads of an answer through the moderator: passed on, judged whole, or judged in windows."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from envoy.service.ext_proc.v3.external_processor_pb2 import (
    ProcessingResponse,
)

from infra.moderation.judges.protocol import Failed, Opinion, Refused
from infra.moderation.judging import judged
from infra.moderation.messages import answer_headers_passed, answer_part
from infra.moderation.panel import Panel
from infra.moderation.reading import Reading
from infra.moderation.room import ANSWER_BYTES_MAX, FREE_BYTES, MESSAGE_BYTES_MAX, NoRoomError, Rooms, Share
from infra.moderation.texts import answer_texts, document
from infra.moderation.unreadable import UnreadableError
from infra.moderation.windows import Step, Window, Windows

WINDOWS_AHEAD = 4
"""Windows of a stream that are judged at once; then the engine has to wait."""

PIECE_BYTES = 16 << 10
"""Of a stream that are read at once; an engine that was waited for sends more."""

WRITTEN_BYTES = 256 << 10
"""Of a whole answer that are written at once: gRPC has two more copies of them."""

Write = Callable[[ProcessingResponse], Awaitable[None]]
Stop = Callable[[Refused | Failed], Awaitable[None]]
"""Says no to the caller, once and for all."""


class Answer(Protocol):
    """The road of one answer."""

    async def take(self, body: bytes, *, end: bool, trailers: bool) -> None:
        """Take the next part; end: the last one; trailers: headers follow, and they end the answer."""
        ...

    async def run(self) -> None:
        """Release what is judged, where take does not; ends when it is cancelled."""
        ...

    async def settle(self) -> None:
        """Wait until all that was taken is released or refused."""
        ...

    def close(self) -> None:
        """Give back what room it has."""


class PassedOn:
    """An error of the engine: there is nothing of a model in it."""

    def __init__(self, write: Write) -> None:
        self._write = write

    async def take(self, body: bytes, *, end: bool, trailers: bool) -> None:
        """Pass the part on."""
        await self._write(answer_part(body, end=end and not trailers))

    async def run(self) -> None:
        """Return at once: take releases."""

    async def settle(self) -> None:
        """Return at once: take waits."""

    def close(self) -> None:
        """Return: it has no room."""


class Whole:
    """An answer in one piece: neither its status nor its text is released before it is judged."""

    def __init__(self, panel: Panel, reading: Reading, rooms: Rooms, write: Write, stop: Stop) -> None:
        self._panel = panel
        self._reading = reading
        self._rooms = rooms
        self._write = write
        self._stop = stop
        self._body: bytes | bytearray = b""
        self._arriving: Share | None = None
        self._share: Share | None = None

    async def start(self, size_bytes: int) -> None:
        """Wait until there is room for what Envoy may send at once; the gateway has all of it by now."""
        at_once_bytes = min(size_bytes, MESSAGE_BYTES_MAX)
        try:
            self._arriving = await self._rooms.answers_arriving.of(at_once_bytes).take(
                at_once_bytes, within_seconds=self._panel.timeout_seconds
            )
        except NoRoomError as error:
            await self._stop(Failed(judge="reader", why=str(error)))

    async def take(self, body: bytes, *, end: bool, trailers: bool) -> None:
        """Keep the part, and read no more before there is room; judge the whole when it is there."""
        if not self._body:
            self._body = body  # no copy of what comes in one piece, as the gateway sends it
        else:
            self._body = self._body if isinstance(self._body, bytearray) else bytearray(self._body)
            self._body += body
        try:
            await self._make_room(end=end)
            opinion = (
                await judged(self._panel, self._reading, self._rooms, len(self._body), self._read)
                if end
                else None
            )
        except UnreadableError as error:
            opinion = Failed(judge="reader", why=str(error))
        if opinion is not None:
            self.close()
            await self._stop(opinion)
        elif end:
            await self._release(trailers=trailers)
            self.close()

    async def _make_room(self, *, end: bool) -> None:
        size_bytes = len(self._body)
        if size_bytes > ANSWER_BYTES_MAX:
            raise UnreadableError("an answer that is too large")
        if self._share is None and size_bytes > FREE_BYTES:
            self._share = await self._rooms.answers.take(
                size_bytes if end else ANSWER_BYTES_MAX, within_seconds=self._panel.timeout_seconds
            )
        if self._share is not None and end:
            self._share.keep(size_bytes)
        if self._arriving is not None and (end or self._share is not None):
            self._arriving.keep(0)

    def _read(self) -> tuple[tuple[str, ...], Refused | None]:
        texts = answer_texts(document(self._body))
        return texts, self._panel.match(texts)

    async def _release(self, *, trailers: bool) -> None:
        await self._write(answer_headers_passed())
        for start in range(0, max(1, len(self._body)), WRITTEN_BYTES):
            part = bytes(self._body[start : start + WRITTEN_BYTES])
            last = start + WRITTEN_BYTES >= len(self._body)
            await self._write(answer_part(part, end=last and not trailers))

    async def run(self) -> None:
        """Return at once: take releases."""

    async def settle(self) -> None:
        """Return at once: take waits."""

    def close(self) -> None:
        """Drop the answer."""
        self._body = b""
        for share in (self._arriving, self._share):
            if share is not None:
                share.keep(0)


class Streamed:
    """An answer in events: its windows are released in order, each once it is judged."""

    def __init__(self, panel: Panel, reading: Reading, write: Write, stop: Stop) -> None:
        self._panel = panel
        self._reading = reading
        self._write = write
        self._stop = stop
        self._windows = Windows(panel.matchers, asks=bool(panel.askers))
        self._asked: asyncio.Queue[tuple[Step, asyncio.Task[Opinion] | None, bool]] = asyncio.Queue(
            WINDOWS_AHEAD
        )
        self._over = False

    async def take(self, body: bytes, *, end: bool, trailers: bool) -> None:
        """Cut the part into windows, and have them judged while more arrives."""
        for start in range(0, max(1, len(body)), PIECE_BYTES):
            piece = body[start : start + PIECE_BYTES]
            ends = end and start + PIECE_BYTES >= len(body)
            steps = await self._read(piece, end=ends)
            for step in steps:
                await self._put(step, last=ends and not trailers and step is steps[-1])
            if start:
                await asyncio.sleep(0)  # other requests' turn

    async def _read(self, piece: bytes, *, end: bool) -> list[Step]:
        unread_bytes = self._windows.unread_bytes + len(piece)
        return await self._reading.read(unread_bytes, lambda: self._windows.feed(piece, end=end))

    async def _put(self, step: Step, *, last: bool) -> None:
        if not self._panel.askers:
            await self._follow(step, None, last=last)
        else:
            texts = step.texts if isinstance(step, Window) else ()
            asked = asyncio.create_task(self._panel.ask(texts)) if texts else None
            await self._asked.put((step, asked, last))

    async def run(self) -> None:
        """Release windows in order; after a refusal, end the judging of what follows."""
        asked: asyncio.Task[Opinion] | None = None
        try:
            while self._panel.askers:
                step, asked, last = await self._asked.get()
                if self._over and asked is not None:
                    asked.cancel()
                await self._follow(step, asked, last=last)
                self._asked.task_done()
        finally:
            waiting = [asked] + [self._asked.get_nowait()[1] for _ in range(self._asked.qsize())]
            for task in waiting:
                if task is not None:
                    task.cancel()

    async def settle(self) -> None:
        """Wait until all windows are released or refused."""
        await self._asked.join()

    def close(self) -> None:
        """Return: its windows are bounded."""

    async def _follow(self, step: Step, asked: asyncio.Task[Opinion] | None, *, last: bool) -> None:
        if self._over:
            return
        opinion = await asked if asked is not None else None
        if not isinstance(step, Window):
            opinion = step
        if opinion is not None:
            self._over = True
            await self._stop(opinion)
        elif isinstance(step, Window) and (step.events or last):
            await self._write(answer_part(step.events, end=last))
