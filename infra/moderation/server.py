"""The gRPC server that Envoy asks."""

from collections.abc import AsyncIterator, Callable

import grpc
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse

from infra.external_processor import (
    EXT_PROC,
    HEALTH,
    SERVING,
    WAITING_CALLS,
    WAITING_CALLS_MAX,
    Context,
    Process,
)
from infra.moderation.conversation import Conversation
from infra.moderation.journal import Journal
from infra.moderation.panel import Panel
from infra.moderation.reading import Reading
from infra.moderation.room import MESSAGE_BYTES_MAX, Rooms


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

    options = [
        *((name, WAITING_CALLS_MAX) for name in WAITING_CALLS),
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        # Or gRPC reads megabytes of each call ahead, and what finds no room is in memory all the same.
        ("grpc.http2.bdp_probe", 0),
    ]
    made = grpc.aio.server(options=options)
    made.add_generic_rpc_handlers((_judging(process), _health()))
    return made


def _judging(process: Process) -> "grpc.GenericRpcHandler[ProcessingRequest, ProcessingResponse]":
    handler = grpc.stream_stream_rpc_method_handler(
        process,
        request_deserializer=ProcessingRequest.FromString,
        response_serializer=ProcessingResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(EXT_PROC, {"Process": handler})


def _health() -> "grpc.GenericRpcHandler[bytes, bytes]":
    async def check(_request: bytes, _context: object) -> bytes:
        return SERVING

    return grpc.method_handlers_generic_handler(HEALTH, {"Check": grpc.unary_unary_rpc_method_handler(check)})


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]
