"""What programs share that Envoy asks about requests, with a gRPC call for each: their server and its end."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import grpc
from envoy.service.ext_proc.v3.external_processor_pb2 import (
    ProcessingRequest,
    ProcessingResponse,
)
from immutabledict import immutabledict

EXT_PROC = "envoy.service.ext_proc.v3.ExternalProcessor"
HEALTH = "grpc.health.v1.Health"
SERVING = b"\x08\x01"
"""HealthCheckResponse(status=SERVING) as protobuf writes it: spares a library for two bytes."""

WAITING_CALLS = ("grpc.server.max_pending_requests", "grpc.server.max_pending_requests_hard_limit")
WAITING_CALLS_MAX = 1_000_000
"""By default gRPC refuses some of 1,000 calls that come at once, and Envoy takes that for a failure."""

Context = grpc.aio.ServicerContext[ProcessingRequest, ProcessingResponse]
Process = Callable[[AsyncIterator[ProcessingRequest], Context], Awaitable[None]]


def processor(process: Process, options: Mapping[str, int] = immutabledict()) -> grpc.aio.Server:
    """Return a server, not started, that asks a function about each request, and says that it is well."""
    waiting = dict.fromkeys(WAITING_CALLS, WAITING_CALLS_MAX)
    made = grpc.aio.server(options=[*waiting.items(), *options.items()])
    made.add_generic_rpc_handlers((_ext_proc(process), _health()))
    return made


async def listen(serving: grpc.aio.Server, address: str) -> str:
    """Start a server and return where it listens; RuntimeError where it cannot."""
    port = serving.add_insecure_port(address)
    await serving.start()
    return f"{address.rpartition(':')[0]}:{port}"


def told_to_end() -> asyncio.Event:
    """Return what is set when somebody tells this program to end."""
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    return end


def _ext_proc(process: Process) -> "grpc.GenericRpcHandler[ProcessingRequest, ProcessingResponse]":
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
