"""The limiter's own answers, over gRPC, as Envoy asks."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import grpc
import pytest
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse

from infra.concurrency.limiter import server
from infra.concurrency.turns import Turns
from infra.external_processor import EXT_PROC, HEALTH, SERVING, listen

Call = grpc.aio.StreamStreamCall[ProcessingRequest, ProcessingResponse]
Ask = Callable[[dict[str, str]], Awaitable[Call]]

TOLD = {
    "modelunits-endpoint": "ep-chat-000000",
    "modelunits-key": "search.k00000001",
    "modelunits-concurrency": "1",
    "modelunits-queue": "1",
    "modelunits-wait-seconds": "60",
}


def play(scene: Callable[[Ask, Turns], Awaitable[None]]) -> None:
    """Play a scene at a limiter."""

    async def played() -> None:
        turns = Turns()
        serving = server(turns)
        address = await listen(serving, "127.0.0.1:0")
        async with grpc.aio.insecure_channel(address) as channel:
            process = channel.stream_stream(
                f"/{EXT_PROC}/Process",
                request_serializer=ProcessingRequest.SerializeToString,
                response_deserializer=ProcessingResponse.FromString,
            )

            async def ask(told: dict[str, str]) -> Call:
                call: Call = process(metadata=grpc.aio.Metadata(*told.items()))
                with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # it has failed already
                    await call.write(ProcessingRequest(request_headers={}))
                return call

            try:
                await scene(ask, turns)
            finally:
                await serving.stop(None)

    asyncio.run(played())


async def said(call: Call) -> str | None:
    """Return what kind of answer comes next."""
    answer = await call.read()
    assert isinstance(answer, ProcessingResponse), "the call is over"
    if answer.HasField("override_message_timeout"):
        return f"wait {answer.override_message_timeout.seconds}"
    return answer.WhichOneof("response")


def test_who_waits_too_long_is_refused() -> None:
    """Envoy is asked for more time than the wait takes, so that it never ends a wait itself."""

    async def scene(ask: Ask, turns: Turns) -> None:
        runs = await ask(TOLD)
        waits = await ask({**TOLD, "modelunits-wait-seconds": "1"})

        assert await said(runs) == "request_headers"
        assert await said(waits) == "wait 6"
        assert await said(waits) == "immediate_response"

        await runs.done_writing()

        assert await runs.read() is grpc.aio.EOF

    play(scene)


@pytest.mark.parametrize("end", ["half-closed", "reset"])
def test_however_a_call_ends_its_turn_is_given_back(end: str) -> None:
    """One that runs and one that waits; nothing of them is remembered."""

    async def scene(ask: Ask, turns: Turns) -> None:
        both = [await ask(TOLD), await ask(TOLD)]

        assert [await said(call) for call in both] == ["request_headers", "wait 65"]

        for call in reversed(both):
            if end == "reset":
                call.cancel()
            else:
                await call.done_writing()
        for _ in range(100):
            if turns.callers():
                await asyncio.sleep(0.05)

        assert turns.callers() == 0

    play(scene)


def test_a_call_without_a_limit_fails() -> None:
    """Envoy then lets the request pass and counts that it did."""

    async def scene(ask: Ask, turns: Turns) -> None:
        call = await ask({"modelunits-key": "search.k00000001"})

        assert await call.code() is grpc.StatusCode.UNKNOWN

    play(scene)


def test_it_says_that_it_is_well() -> None:
    """As the kubelet asks."""

    async def scene() -> None:
        serving = server(Turns())
        async with grpc.aio.insecure_channel(await listen(serving, "127.0.0.1:0")) as channel:
            assert await channel.unary_unary(f"/{HEALTH}/Check")(b"") == SERVING
        await serving.stop(None)

    asyncio.run(scene())
