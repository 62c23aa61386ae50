"""The ways from callers to several engines that are compared: Envoy's balancers, and our router."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway_ways import CHAT, started

from infra.local import ports
from infra.local.envoy import envoy_program
from infra.local.progress import Progress
from infra.local.vllm_router import vllm_router
from infra.plan.model import EndpointPlan
from infra.render.router_args import balancing_args

LOOPBACK = "127.0.0.1"
HTTP = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """How requests are shared between engines; with several addresses, each request takes any of them."""

    name: str
    urls: tuple[str, ...]


@contextmanager
def envoy(folder: Path, name: str, policy: str, engines: Sequence[int]) -> Iterator[Shared]:
    """Run Envoy with one of its balancers and nothing else, on one thread, which alone has all the counts."""
    (port,) = ports.quiet(1)
    file = folder / f"{policy}.json"
    file.write_text(json.dumps(_envoy(port, policy, engines)))
    program = envoy_program(Progress())
    alone = ("--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error")
    with started((program, "-c", file, *alone), folder, policy):
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


def _envoy(port: int, policy: str, engines: Sequence[int]) -> Mapping[str, object]:
    def at(number: int) -> Mapping[str, object]:
        return {"address": {"socket_address": {"address": LOOPBACK, "port_value": number}}}

    route = {"match": {"prefix": "/"}, "route": {"cluster": "engines", "timeout": "0s"}}
    manager = {
        "@type": f"type.googleapis.com/{HTTP}",
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"type.googleapis.com/{ROUTER}"}},
        ],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    places = [{"endpoint": at(engine)} for engine in engines]
    cluster = {
        "name": "engines",
        "type": "STATIC",
        "lb_policy": policy,
        "load_assignment": {"cluster_name": "engines", "endpoints": [{"lb_endpoints": places}]},
    }
    listener = {"name": "in", **at(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
