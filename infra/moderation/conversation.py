"""One request and its answer, as Envoy tells about them."""

import asyncio
import re
from collections.abc import Mapping
from typing import Literal

from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest

from infra.external_processor import Context
from infra.moderation import messages
from infra.moderation.answers import Answer, PassedOn, Streamed, Whole
from infra.moderation.journal import Journal
from infra.moderation.judges.protocol import Failed, Opinion, Refused
from infra.moderation.judging import judged
from infra.moderation.panel import Panel
from infra.moderation.reading import Reading
from infra.moderation.room import NoRoomError, Rooms, Share
from infra.moderation.texts import request_document, request_texts
from infra.moderation.told import Told, told
from infra.moderation.unreadable import TooHeavyError, UnreadableError
from infra.render.gateway.errors import CallerError

ERROR_STATUS_MIN = 400
ENDPOINT = re.compile(r"[a-z0-9-]{1,100}", re.ASCII)


class Conversation:
    """Answers Envoy's messages about one request; whatever is not understood ends in a refusal."""

    def __init__(
        self, context: Context, panel: Panel, reading: Reading, rooms: Rooms, journal: Journal
    ) -> None:
        self._context = context
        self._panel = panel
        self._reading = reading
        self._rooms = rooms
        self._journal = journal
        self._endpoint = "unknown"
        self._arriving: Share | None = None
        self._input_passed = False
        self._answer: Answer | None = None
        self._answer_started = False
        self._over = False

    async def run(self) -> None:
        """Read until Envoy has nothing more to say.

        Why: were the call to end earlier, Envoy would take it that everything may pass.
        """
        try:
            async with asyncio.TaskGroup() as group:
                release: asyncio.Task[None] | None = None
                while (heard := await self._hear()) is not None:
                    if self._over:
                        continue
                    await self._take(heard)
                    if self._answer is not None and release is None:
                        release = group.create_task(self._answer.run())
                if self._answer is not None and release is not None:
                    await self._answer.settle()
                    release.cancel()
        finally:
            self._has_arrived()
            if self._answer is not None:
                self._answer.close()

    async def _hear(self) -> Told | None:
        message = await self._context.read()
        return told(message) if isinstance(message, ProcessingRequest) else None

    async def _take(self, heard: Told) -> None:
        match heard.kind:
            case "request headers" if heard.end:
                await self._refuse(messages.UNREADABLE_REQUEST, verdict="failed", judge="reader")
            case "request headers":
                await self._let_arrive(heard.size_bytes)
            case "request body":
                await self._take_request(heard.body)
            case "answer headers":
                await self._take_answer_headers(heard)
            case "answer body" if self._answer is not None:
                await self._answer.take(heard.body, end=heard.end, trailers=False)
            case "answer trailers" if self._answer is not None:
                await self._answer.take(b"", end=True, trailers=True)
                await self._answer.settle()
                if not self._over:
                    await self._context.write(messages.answer_trailers_passed())
            case other:
                raise ValueError(f"Envoy sends {other}")

    async def _let_arrive(self, size_bytes: int) -> None:
        """Let Envoy send the request's body; the gateway has all of it by now, so that it is here soon."""
        try:
            self._arriving = await self._rooms.requests_arriving.of(size_bytes).take(
                size_bytes, within_seconds=self._panel.timeout_seconds
            )
        except NoRoomError as error:
            await self._stop(Failed(judge="reader", why=str(error)))
        else:
            await self._context.write(messages.request_headers_passed())

    def _has_arrived(self) -> None:
        if self._arriving is not None:
            self._arriving.keep(0)

    async def _take_request(self, body: bytes) -> None:
        try:
            opinion = await self._judged(body)
        except NoRoomError as error:
            opinion = Failed(judge="reader", why=str(error))
        except UnreadableError as error:
            said = messages.HEAVY_REQUEST if isinstance(error, TooHeavyError) else messages.UNREADABLE_REQUEST
            await self._refuse(said, verdict="failed", judge="reader", why=str(error))
            return
        match opinion:
            case None:
                self._input_passed = True
                await self._context.write(messages.request_passed())
            case Refused():
                await self._refuse(messages.REFUSED_INPUT, verdict="input", judge=opinion.judge)
            case Failed():
                await self._stop(opinion)

    async def _judged(self, body: bytes) -> Opinion:
        size_bytes = len(body)
        room = self._rooms.requests.of(size_bytes)
        with await room.take(size_bytes, within_seconds=self._panel.timeout_seconds):
            self._has_arrived()
            return await judged(self._panel, self._reading, self._rooms, size_bytes, lambda: self._read(body))

    def _read(self, body: bytes) -> tuple[tuple[str, ...], Refused | None]:
        request = request_document(body)
        model = str(request.get("model")).partition(":")[0]
        self._endpoint = model if ENDPOINT.fullmatch(model) else "unknown"
        texts = request_texts(request)
        return texts, self._panel.match(texts)

    async def _take_answer_headers(self, heard: Told) -> None:
        road = self._road(heard.headers)
        if heard.end and road in ("whole", "streamed"):
            road = "passed on"
        match road:
            case "passed on":
                self._answer = PassedOn(self._context.write)
            case "whole":
                whole = Whole(self._panel, self._reading, self._rooms, self._context.write, self._stop)
                self._answer = whole
                await whole.start(heard.size_bytes)
                return
            case "streamed":
                self._answer = Streamed(self._panel, self._reading, self._context.write, self._stop)
            case "unreadable":
                await self._stop(Failed(judge="reader", why="an answer that is no JSON, or compressed"))
                return
        self._answer_started = True
        await self._context.write(messages.answer_headers_passed())

    def _road(self, named: Mapping[str, str]) -> Literal["passed on", "whole", "streamed", "unreadable"]:
        status = named.get(":status", "")
        if status.isdecimal() and int(status) >= ERROR_STATUS_MIN:
            return "passed on"
        if not self._input_passed or named.get("content-encoding", "identity") != "identity":
            return "unreadable"
        match named.get("content-type", "").partition(";")[0].strip().lower():
            case "application/json":
                return "whole"
            case "text/event-stream":
                return "streamed"
            case _:
                return "unreadable"

    async def _stop(self, opinion: Refused | Failed) -> None:
        match opinion:
            case Refused():
                await self._refuse(messages.REFUSED_ANSWER, verdict="output", judge=opinion.judge)
            case Failed():
                await self._refuse(
                    messages.UNAVAILABLE, verdict="failed", judge=opinion.judge, why=opinion.why
                )

    async def _refuse(
        self, error: CallerError, *, verdict: messages.Verdict, judge: str, why: str = ""
    ) -> None:
        self._over = True
        self._journal.decided(endpoint=self._endpoint, verdict=verdict, judge=judge, why=why)
        say_no = messages.broken_off if self._answer_started else messages.refusal
        await self._context.write(say_no(error, verdict=verdict, judge=judge))
