"""A real gateway in front of a fake engine, with the limiter's own program beside it."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from fake_engine import FakeEngine, fake_engine
from real_gateway import CHAT, LOCAL, OPEN, SEARCH, Gateway, authorization, free_ports, gateway, plan_of

from infra.local import health
from infra.render.gateway.keys import CallerKey

WAIT_SECONDS = 20
STATS = "http.callers.ext_proc.key_concurrency"


@dataclass(slots=True, kw_only=True)
class Limiter:
    """The limiter's program, which tests may stop, kill and start again."""

    port: int
    process: subprocess.Popen[bytes]

    def begin(self) -> None:
        """Start it again after its end."""
        self.process = _limiter(self.port)

    def kill(self) -> None:
        """End it without a word."""
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A running gateway and what is around it."""

    gateway: Gateway
    engine: FakeEngine
    limiter: Limiter

    def asked(self) -> int:
        """Return how many requests the limiter has been asked about."""
        return self.gateway.stat(f"{STATS}.streams_started")

    def passed_by(self) -> int:
        """Return how many requests have passed without the limiter."""
        return self.gateway.stat(f"{STATS}.failure_mode_allowed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Calls of one test, which end with it."""

    door: Door
    client: httpx.AsyncClient

    async def begin(
        self, does: str, *, endpoint: str = "chat", key: CallerKey = SEARCH
    ) -> asyncio.Task[httpx.Response]:
        """Begin a call; return when the limiter is asked about it. To cancel the task is to hang up."""
        before = self.door.asked()
        body = self.door.gateway.chat(endpoint, messages=[{"role": "user", "content": does}])
        url = self.door.gateway.url + CHAT
        task = asyncio.create_task(self.client.post(url, json=body, headers=authorization(key)))
        await until(lambda: self.door.asked() > before or task.done())
        return task

    async def statuses(self, does: str, count: int, *, key: CallerKey = SEARCH) -> list[int]:
        """Begin some calls, one after the other, and return the statuses of their answers."""
        tasks = [await self.begin(does, key=key) for _ in range(count)]
        return [answer.status_code for answer in await asyncio.gather(*tasks)]


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"

        await asyncio.sleep(0.01)


@asynccontextmanager
async def calls(door: Door) -> AsyncIterator[Calls]:
    """Give calls through a gateway."""
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as client:
        yield Calls(door=door, client=client)


@contextmanager
def limited_gateway(
    folder: Path, *, engine_port: int | None = None, replicas: int = 1, **per_key: int
) -> Iterator[Door]:
    """Run a gateway whose endpoint `chat` limits each key; the endpoint `free` does not."""
    plan = plan_of({"chat": {**OPEN, "limits": {"per_key": per_key}}, "free": OPEN})
    (port,) = free_ports(1)
    limiter = Limiter(port=port, process=_limiter(port))
    try:
        with fake_engine() as engine:
            upstreams = {"chat": engine_port or engine.port, "free": engine.port}
            with gateway(folder, plan, upstreams, concurrency=port, replicas=replicas) as running:
                yield Door(gateway=running, engine=engine, limiter=limiter)
    finally:
        limiter.kill()


def _limiter(port: int) -> subprocess.Popen[bytes]:
    listen = f"{LOCAL}:{port}"
    command = [sys.executable, "-m", "infra.concurrency", "--listen", listen]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + WAIT_SECONDS
    while not health.answers(f"{health.TCP}{listen}"):
        assert process.poll() is None, "the limiter has ended"
        assert time.monotonic() < deadline, "the limiter does not start"

        time.sleep(0.05)
    return process
