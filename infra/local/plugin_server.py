"""How our Pulumi plugins are served: a gRPC server on loopback, its port on stdout, gone with the engine."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc

PARENT_POLL_SECONDS = 1.0


def serve(register: Callable[[grpc.Server], object], stop: Callable[[], None], workers: int) -> None:
    """Serve until the engine ends or interrupts us; `stop` ends what the plugin has started.

    Why: an engine that is killed cannot tell its plugins, and a plugin that outlives it would go on
    changing the cluster.
    """
    server = grpc.server(
        ThreadPoolExecutor(max_workers=workers),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    print(port, flush=True)  # the engine reads the first line of stdout as the port to dial
    engine_process = os.getppid()
    while os.getppid() == engine_process and not ended.wait(PARENT_POLL_SECONDS):
        pass
    stop()
    server.stop(grace=None)
    sys.stdout.flush()
    os._exit(0)  # calls still running belong to an engine that no longer listens


def engine_address(arguments: list[str]) -> str | None:
    """Return the engine's address among a plugin's arguments: the one that is not a flag."""
    positional = [argument for argument in arguments if not argument.startswith("-")]
    return positional[-1] if positional else None
