"""Real moderators, as programs and in a thread of the tests."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from infra.moderation import make
from infra.moderation.journal import Journal
from infra.moderation.reload import Reloading
from infra.moderation.server import server

LOCAL = "127.0.0.1"
READY_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderator:
    """A running moderator."""

    name: str
    config: Path
    log: Path
    process: subprocess.Popen[bytes] | None
    """None: it runs in a thread of the tests, which starts sooner."""
    port: int

    def logged(self, text: str, *, wait_seconds: float = 5) -> bool:
        """Return whether the log has a text by now, or soon."""
        deadline = time.monotonic() + wait_seconds
        while text not in self.log.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        return text in self.log.read_text()


@contextmanager
def program(folder: Path, name: str, config: Mapping[str, object]) -> Iterator[Moderator]:
    """Run the moderator's program on a configuration."""
    file, log = _files(folder, name, config)
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "infra.moderation", "--config", str(file)]
    command += ["--listen", f"{LOCAL}:{port}", "--drain-seconds", "1"]
    with log.open("wb") as out, subprocess.Popen(command, stderr=out) as process:
        try:
            yield Moderator(name=name, config=file, log=log, process=process, port=port)
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


@contextmanager
def threads(folder: Path, configs: Mapping[str, Mapping[str, object]]) -> Iterator[list[Moderator]]:
    """Run a moderator for each configuration, all in one thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start(name: str, config: Mapping[str, object]) -> Moderator:
        file, log = _files(folder, name, config)
        journal = Journal(log.open("w"))
        client = make.client()
        reloading = Reloading(file, lambda read: make.panel(read, client=client, key="service-key"), journal)
        serving = server(reloading.panel, journal)
        port = serving.add_insecure_port(f"{LOCAL}:0")
        await serving.start()
        running.append((serving, asyncio.create_task(reloading.watch())))
        return Moderator(name=name, config=file, log=log, process=None, port=port)

    async def stop() -> None:
        for serving, watching in running:
            watching.cancel()
            await serving.stop(0)

    running: list[tuple[grpc.aio.Server, asyncio.Task[None]]] = []
    try:
        yield [
            asyncio.run_coroutine_threadsafe(start(name, config), loop).result(READY_SECONDS)
            for name, config in configs.items()
        ]
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(READY_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(READY_SECONDS)


def _files(folder: Path, name: str, config: Mapping[str, object]) -> tuple[Path, Path]:
    file = folder / f"{name}.json"
    file.write_text(json.dumps(config))
    return file, folder / f"{name}.log"


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOCAL, 0))
        return [each.getsockname()[1] for each in sockets]
