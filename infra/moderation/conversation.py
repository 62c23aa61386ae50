"""One request and its answer, as Envoy tells about them."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Literal

from envoy.service.ext_proc.v3.external_processor_pb2 import (
    HttpBody,
    HttpHeaders,
    ProcessingRequest,
)

from infra.external_processor import Context
from infra.moderation import messages
from infra.moderation.answers import Answer, PassedOn, Streamed, Whole
from infra.moderation.journal import Journal
from infra.moderation.judges.protocol import Failed, Refused
from infra.moderation.panel import Panel
from infra.moderation.reading import Reading
from infra.moderation.texts import request_document, request_texts
from infra.moderation.unreadable import TooHeavyError, UnreadableError
from infra.render.gateway.errors import CallerError

ERROR_STATUS_MIN = 400
ENDPOINT = re.compile(r"[a-z0-9-]{1,100}", re.ASCII)


class Conversation:
    """Answers Envoy's messages about one request; whatever is not understood ends in a refusal."""

    def __init__(self, context: Context, panel: Panel, reading: Reading, journal: Journal) -> None:
        self._context = context
        self._panel = panel
        self._reading = reading
        self._journal = journal
        self._endpoint = "unknown"
        self._input_passed = False
        self._answer: Answer | None = None
        self._answer_started = False
        self._over = False

    async def run(self, told: AsyncIterator[ProcessingRequest]) -> None:
        """Read until Envoy has nothing more to say.

        Why: were the call to end earlier, Envoy would take it that everything may pass.
        """
        async with asyncio.TaskGroup() as group:
            release: asyncio.Task[None] | None = None
            async for message in told:
                if self._over:
                    continue
                await self._take(message)
                if self._answer is not None and release is None:
                    release = group.create_task(self._answer.run())
            if self._answer is not None and release is not None:
                await self._answer.settle()
                release.cancel()

    async def _take(self, message: ProcessingRequest) -> None:
        match message.WhichOneof("request"):
            case "request_headers" if message.request_headers.end_of_stream:
                await self._refuse(messages.UNREADABLE_REQUEST, verdict="failed", judge="reader")
            case "request_headers":
                await self._context.write(messages.request_headers_passed())
            case "request_body":
                await self._take_request(message.request_body)
            case "response_headers":
                await self._take_answer_headers(message.response_headers)
            case "response_body" if self._answer is not None:
                body = message.response_body
                await self._answer.take(body.body, end=body.end_of_stream, trailers=False)
            case "response_trailers" if self._answer is not None:
                await self._answer.take(b"", end=True, trailers=True)
                await self._answer.settle()
                if not self._over:
                    await self._context.write(messages.answer_trailers_passed())
            case other:
                raise ValueError(f"Envoy sends {other}")

    async def _take_request(self, body: HttpBody) -> None:
        try:
            texts, refused = await self._reading.read(len(body.body), lambda: self._read(body.body))
        except UnreadableError as error:
            said = messages.HEAVY_REQUEST if isinstance(error, TooHeavyError) else messages.UNREADABLE_REQUEST
            await self._refuse(said, verdict="failed", judge="reader", why=str(error))
            return
        opinion = refused or await self._panel.ask(texts)
        match opinion:
            case None:
                self._input_passed = True
                await self._context.write(messages.request_passed())
            case Refused():
                await self._refuse(messages.REFUSED_INPUT, verdict="input", judge=opinion.judge)
            case Failed():
                await self._stop(opinion)

    def _read(self, body: bytes) -> tuple[tuple[str, ...], Refused | None]:
        request = request_document(body)
        model = str(request.get("model")).partition(":")[0]
        self._endpoint = model if ENDPOINT.fullmatch(model) else "unknown"
        texts = request_texts(request)
        return texts, self._panel.match(texts)

    async def _take_answer_headers(self, headers: HttpHeaders) -> None:
        named = {header.key: header.raw_value.decode("latin-1") for header in headers.headers.headers}
        road = self._road(named)
        if headers.end_of_stream and road in ("whole", "streamed"):
            road = "passed on"
        match road:
            case "passed on":
                self._answer = PassedOn(self._context.write)
            case "whole":
                self._answer = Whole(self._panel, self._reading, self._context.write, self._stop)
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
