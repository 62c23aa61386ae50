"""The gRPC server that Envoy asks."""

from collections.abc import AsyncIterator, Callable

import grpc
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest
from immutabledict import immutabledict

from infra.external_processor import Context, processor
from infra.moderation.conversation import Conversation
from infra.moderation.journal import Journal
from infra.moderation.panel import Panel
from infra.moderation.reading import Reading
from infra.moderation.room import MESSAGE_BYTES_MAX, Rooms

OPTIONS = immutabledict(
    {
        "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
        # Or gRPC reads megabytes of each call ahead, and what finds no room is in memory all the same.
        "grpc.http2.bdp_probe": 0,
    }
)


def server(panel: Callable[[], Panel], journal: Journal) -> grpc.aio.Server:
    """Return a server, not started, that judges every request by the panel of the moment it begins."""

    reading, rooms = Reading(), Rooms()

    async def process(_told: AsyncIterator[ProcessingRequest], context: Context) -> None:
        try:
            await Conversation(context, panel(), reading, rooms, journal).run()
        except Exception as error:  # ending in good order would let everything pass
            why = ", ".join(type(each).__name__ for each in _leaves(error))
            journal.say("broken", why=why)
            await context.abort(grpc.StatusCode.INTERNAL, "moderation failed")

    return processor(process, OPTIONS)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]
