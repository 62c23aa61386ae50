"""The gRPC server that Envoy asks."""

from collections.abc import AsyncIterator, Callable

import grpc
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest

from infra.external_processor import Context, processor
from infra.moderation.conversation import Conversation
from infra.moderation.journal import Journal
from infra.moderation.panel import Panel
from infra.moderation.reading import Reading
from infra.render.gateway.errors import MAX_BODY_MIB

MESSAGE_BYTES_MAX = (MAX_BODY_MIB + 1) << 20
"""A whole request is one message."""


def server(panel: Callable[[], Panel], journal: Journal) -> grpc.aio.Server:
    """Return a server, not started, that judges every request by the panel of the moment it begins."""

    reading = Reading()

    async def process(told: AsyncIterator[ProcessingRequest], context: Context) -> None:
        try:
            await Conversation(context, panel(), reading, journal).run(told)
        except Exception as error:  # ending in good order would let everything pass
            why = ", ".join(type(each).__name__ for each in _leaves(error))
            journal.say("broken", why=why)
            await context.abort(grpc.StatusCode.INTERNAL, "moderation failed")

    return processor(process, message_bytes_max=MESSAGE_BYTES_MAX)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]
