"""Gives each request its turn, and takes it back when Envoy's call ends."""

import asyncio
from collections.abc import AsyncIterator

import grpc
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest

from infra.concurrency import messages
from infra.concurrency.turns import Turns
from infra.external_processor import Context, processor


def server(turns: Turns) -> grpc.aio.Server:
    """Return a server, not started, that counts calls by what comes with them."""

    async def process(told: AsyncIterator[ProcessingRequest], context: Context) -> None:
        asked = messages.asked({str(name): str(value) for name, value in context.invocation_metadata() or ()})
        come = asyncio.Event()
        turn = turns.take(asked.caller, asked.limit, come.set)
        if turn is None:
            await context.write(messages.refused())
            # Were the call to end here, Envoy could see its end before the refusal and let the request pass.
            await _end(told)
            return
        try:
            if come.is_set():
                await context.write(messages.run())
                await _end(told)
            else:
                await _wait(come, asked.wait_seconds, told, context)
        finally:
            turns.leave(turn)

    return processor(process)


async def _wait(
    come: asyncio.Event, seconds: int, told: AsyncIterator[ProcessingRequest], context: Context
) -> None:
    """Have a request wait for its turn while its caller does."""

    async def say() -> None:
        try:
            async with asyncio.timeout(seconds):
                await come.wait()
        except TimeoutError:
            await context.write(messages.refused())
        else:
            await context.write(messages.run())

    await context.write(messages.more_time(seconds))
    async with asyncio.TaskGroup() as group:
        saying = group.create_task(say())
        await _end(told)
        saying.cancel()


async def _end(told: AsyncIterator[ProcessingRequest]) -> None:
    """Return when Envoy's call ends, and the request with it; nothing that comes before needs an answer."""
    async for _ in told:
        pass
