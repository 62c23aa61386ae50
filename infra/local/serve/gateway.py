"""The gateway's own processes on this machine: Envoy, and what it asks on the way. Pure."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.local.health import TCP
from infra.local.processes import Process
from infra.local.redis import Redis
from infra.local.serve.place import LOOPBACK, Listening, ServeFolder
from infra.render.gateway.bootstrap import arguments
from infra.render.gateway.limits import SERVICE_SETTINGS
from infra.render.gateway.place import Place

ENVOY = "envoy"

DRAIN_SECONDS = 5
"""Whoever stops a stack on this machine does not wait for streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPrograms:
    """The programs of the gateway; what no endpoint needs is not there."""

    envoy: Path
    redis: Redis | None
    ratelimit: Path | None


def gateway_processes(
    programs: GatewayPrograms, folder: ServeFolder, ports: Listening, at: Place
) -> Iterator[Process]:
    """Yield the processes in the order in which they need each other."""
    if programs.redis and programs.ratelimit:
        yield _redis(programs.redis, folder, ports)
        yield _ratelimit(programs.ratelimit, folder, ports)
    if at.moderator is not None:
        yield _moderator(folder, ports)
    if at.concurrency is not None:
        yield _limiter(ports)
    yield Process(
        name=ENVOY,
        command=(str(programs.envoy), *arguments(at, DRAIN_SECONDS)),
        health=f"http://{LOOPBACK}:{ports.metrics}/ready",
    )


def _redis(program: Redis, folder: ServeFolder, ports: Listening) -> Process:
    return Process(
        name="redis",
        command=program.command(folder.redis, ports.redis),
        environment=program.environment,
        health=f"{TCP}{LOOPBACK}:{ports.redis}",
    )


def _ratelimit(program: Path, folder: ServeFolder, ports: Listening) -> Process:
    return Process(
        name="ratelimit",
        command=(str(program),),
        environment={
            **SERVICE_SETTINGS,
            "RUNTIME_ROOT": str(folder.ratelimit),
            "RUNTIME_SUBDIRECTORY": "",  # the limits are in RUNTIME_ROOT/config
            "GRPC_HOST": LOOPBACK,
            "GRPC_PORT": str(ports.ratelimit),
            "HOST": LOOPBACK,
            "PORT": str(ports.ratelimit_http),
            "DEBUG_HOST": LOOPBACK,
            "DEBUG_PORT": str(ports.ratelimit_debug),
            "REDIS_URL": f"{LOOPBACK}:{ports.redis}",
        },
        health=f"http://{LOOPBACK}:{ports.ratelimit_http}/json",
    )


def _moderator(folder: ServeFolder, ports: Listening) -> Process:
    return _ours("moderator", ports.moderator, "infra.moderation", "--config", str(folder.moderation))


def _limiter(ports: Listening) -> Process:
    return _ours("concurrency", ports.concurrency, "infra.concurrency")


def _ours(name: str, port: int, module: str, *arguments: str) -> Process:
    """Return a program of our own that Envoy asks."""
    listen = f"{LOOPBACK}:{port}"
    return Process(
        name=name,
        command=(sys.executable, "-P", "-m", module, *arguments, "--listen", listen),
        health=f"{TCP}{listen}",
    )
