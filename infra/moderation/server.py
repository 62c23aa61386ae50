"""The gRPC server that Envoy asks."""

from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
from envoy.service.ext_proc.v3.external_processor_pb2 import (
    ProcessingRequest,
    ProcessingResponse,
)

from infra.moderation.conversation import Context, Conversation
from infra.moderation.journal import Journal
from infra.moderation.panel import Panel
from infra.render.gateway.errors import MAX_BODY_MIB

EXT_PROC = "envoy.service.ext_proc.v3.ExternalProcessor"
HEALTH = "grpc.health.v1.Health"
SERVING = b"\x08\x01"
"""HealthCheckResponse(status=SERVING) as protobuf writes it: spares a library for two bytes."""

MESSAGE_BYTES_MAX = (MAX_BODY_MIB + 1) << 20
"""A whole request is one message."""


def server(panel: Callable[[], Panel], journal: Journal) -> grpc.aio.Server:
    """Return a server, not started, that judges every request by the panel of the moment it begins."""

    async def process(told: AsyncIterator[ProcessingRequest], context: Context) -> None:
        try:
            await Conversation(context, panel(), journal).run(told)
        except Exception as error:  # ending in good order would let everything pass
            why = ", ".join(type(each).__name__ for each in _leaves(error))
            journal.say("broken", why=why)
            await context.abort(grpc.StatusCode.INTERNAL, "moderation failed")

    made = grpc.aio.server(options=[("grpc.max_receive_message_length", MESSAGE_BYTES_MAX)])
    made.add_generic_rpc_handlers((_ext_proc(process), _health()))
    return made


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]


def _ext_proc(
    process: Callable[[AsyncIterator[ProcessingRequest], Context], Awaitable[None]],
) -> "grpc.GenericRpcHandler[ProcessingRequest, ProcessingResponse]":
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
