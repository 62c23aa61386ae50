"""The ways from callers to several engines that are compared: Envoy's balancers, and our router."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bare_envoy import envoy_command
from gateway_ways import CHAT, started

from infra.local import ports
from infra.local.envoy import envoy_program
from infra.local.progress import Progress
from infra.local.vllm_router import vllm_router
from infra.plan.model import EndpointPlan
from infra.render.gateway.place import Address
from infra.render.router_args import balancing_args

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """How requests are shared between engines; with several addresses, each request takes any of them."""

    name: str
    urls: tuple[str, ...]


@contextmanager
def envoy(folder: Path, name: str, policy: str, engines: Sequence[int]) -> Iterator[Shared]:
    """Run Envoy with one of its balancers and nothing else, on one thread, which alone has all the counts."""
    (port,) = ports.quiet(1)
    places = [Address(host=LOOPBACK, port=engine) for engine in engines]
    file = folder / f"{policy}.json"
    with started(envoy_command(envoy_program(Progress()), file, port, places, policy=policy), folder, policy):
        yield Shared(name=name, urls=(f"http://{LOOPBACK}:{port}{CHAT}",))


@contextmanager
def our_router(folder: Path, name: str, endpoint: EndpointPlan, engines: Sequence[int]) -> Iterator[Shared]:
    """Run the router as an endpoint has it, but for how it finds engines."""
    port, metrics = ports.quiet(2)
    command = (
        *(vllm_router(Progress()), *balancing_args(endpoint)),
        *(f"--host={LOOPBACK}", f"--port={port}"),
        *(f"--prometheus-host={LOOPBACK}", f"--prometheus-port={metrics}"),
        *("--worker-urls", *(f"http://{LOOPBACK}:{engine}" for engine in engines)),
    )
    with started(command, folder, f"router-{port}"):
        yield Shared(name=name, urls=(f"http://{LOOPBACK}:{port}{CHAT}",))
