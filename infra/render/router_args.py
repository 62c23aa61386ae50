"""The arguments of vllm-router; those that its Rust and its Python launcher both know."""

import json
from collections.abc import Iterator
from math import ceil

from infra import names
from infra.plan.model import EndpointPlan
from infra.render.services import serving_selector

METRICS_PORT = 29000


def looks_pods_up(endpoint: EndpointPlan) -> bool:
    """Say whether the router finds pods by itself; with encoders it cannot yet (its docs/epd.md)."""
    return all(role.name != "encode" for role in endpoint.roles)


def router_args(endpoint: EndpointPlan, stack: str) -> list[str]:
    """Return what a router is started with.

    Why without a key: the gateway in front has checked it, and network policies admit nobody else.
    """
    return [
        *_workers(endpoint, stack),
        "--host=0.0.0.0",
        f"--port={names.ENGINE_PORT}",
        "--prometheus-host=0.0.0.0",
        f"--prometheus-port={METRICS_PORT}",
        # It would send again what an engine has seen, even its 429; the gateway sends again what none has.
        "--disable-retries",
        # Not sooner than whoever stands in front.
        f"--request-timeout-secs={endpoint.request_timeout_seconds}",
    ]


def _workers(endpoint: EndpointPlan, stack: str) -> Iterator[str]:
    """Yield where engines are, and how one is chosen."""
    if not looks_pods_up(endpoint):
        yield "--vllm-pd-disaggregation"
        yield from _addresses(endpoint)
    elif endpoint.shape == "single":
        (role,) = endpoint.roles
        yield from balancing_args(endpoint)
        yield from _discovery(endpoint)
        yield from ("--selector", *_pairs(serving_selector(endpoint, role, stack)))
    else:
        yield "--vllm-pd-disaggregation"
        yield from _discovery(endpoint)
        # Prompts go where their prefix is cached; generations where there is least to do.
        yield from ("--prefill-policy=cache_aware", "--decode-policy=power_of_two")
        for role in endpoint.roles:
            yield from (f"--{role.name}-selector", *_pairs(serving_selector(endpoint, role, stack)))


def balancing_args(endpoint: EndpointPlan) -> Iterator[str]:
    """Yield how an engine is chosen where each does everything.

    Prompts go where most of them is cached: the router asks engines for their tokens, and remembers which it
    sent where. Prompts of which little is known, and all once an engine has an eighth of what it holds at its
    tier more to do than another, go where there is least to do. Why so little: conversations that begin alike
    all go to one engine until then.
    """
    (role,) = endpoint.roles
    yield "--policy=cache_aware"
    yield f"--balance-abs-threshold={ceil(endpoint.tier.concurrency_per_group / role.count / 8)}"


def _discovery(endpoint: EndpointPlan) -> Iterator[str]:
    yield "--service-discovery"
    yield f"--service-discovery-namespace={endpoint.namespace}"
    yield f"--service-discovery-port={names.ENGINE_PORT}"


def _pairs(selector: dict[str, str]) -> Iterator[str]:
    return (f"{label}={value}" for label, value in selector.items())


def _addresses(endpoint: EndpointPlan) -> list[str]:
    address = {
        role.name: f"http://{names.service_name(endpoint.name, role.name)}:{names.ENGINE_PORT}"
        for role in endpoint.roles
    }
    return [
        "--prefill",
        address["prefill"],
        "--decode",
        address["decode"],
        "--policy=round_robin",
        # One address stands for all engines of a role: whether it works is Kubernetes' to say.
        "--disable-circuit-breaker",
        f"--worker-startup-timeout-secs={endpoint.startup_timeout_seconds}",
        f"--epd-config={json.dumps({'encoder_urls': [address['encode']]}, separators=(',', ':'))}",
    ]
