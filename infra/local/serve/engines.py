"""What stands for each endpoint on this machine: which engines run, with what arguments. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.processes import Process
from infra.local.serve.place import LOOPBACK, local
from infra.plan.model import EndpointPlan
from infra.render.gateway.place import Address

ENGINE_GIB = 2.0
"""Of one engine: three processes with PyTorch, 0.6 GiB each, and the KV cache."""

ROUTER_GIB = 0.2

KV_CACHE_MIB = 128
"""Half a million tokens of the tiny model."""

CONTEXT_TOKENS = 4096

IDLE_SECONDS = 600
"""An endpoint without `sleep_after` sleeps too, as memory is scarce here."""

ROUTER_WAITS_SECONDS = 3600
"""For its engines to start; of one that dies, everybody hears sooner."""

HANDS_OVER = {"prefill": "kv_producer", "decode": "kv_consumer"}

ENGINE_ENVIRONMENT = {
    "VLLM_HOST_IP": LOOPBACK,
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_API_KEY": "",  # the gateway has checked the caller's key, and sends none
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # bound threads of several engines would share one core
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFiles:
    """What engines run from, and the folders that they write to."""

    vllm: Path
    router: Path | None
    """None where no endpoint has roles apart."""
    model: Path
    adapters: Mapping[tuple[str, int], Path]
    """By name and rank."""
    transfer: Path
    """Through it prefill engines hand over to decode engines."""
    temporary: Path
    """With a short path: sockets are in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """What answers for one endpoint here."""

    endpoint: EndpointPlan
    address: Address
    processes: tuple[Process, ...]
    """In the order of a request; the first one takes it. None where the engine runs elsewhere."""
    memory_gib: float
    idle_seconds: int
    """Without a request for so long, it sleeps."""

    @property
    def says(self) -> str:
        """Return what it is, for people."""
        if not self.processes:
            return f"at http://{self.address.host}:{self.address.port}"
        if self.endpoint.shape == "single":
            return "one engine"
        if len(self.processes) == 1:
            return "one engine for all roles: released routers do not route to encoders"
        return "a prefill and a decode engine behind vllm-router"


def port_count(endpoint: EndpointPlan) -> int:
    """Return how many ports an endpoint's processes listen at."""
    return 4 if _is_pair(endpoint) else 1


def stand_in(endpoint: EndpointPlan, ports: Iterable[int], files: EngineFiles) -> StandIn:
    """Return the engines of an endpoint; one stands for all of its units of a role."""
    if not _is_pair(endpoint):
        (port,) = ports
        process = _engine(endpoint, "serve", port, files)
        return _asleep(endpoint, port, (process,), ENGINE_GIB)
    router, metrics, prefill, decode = ports
    processes = (
        _router(endpoint, files, router, metrics, prefill, decode),
        _engine(endpoint, "prefill", prefill, files),
        _engine(endpoint, "decode", decode, files),
    )
    return _asleep(endpoint, router, processes, 2 * ENGINE_GIB + ROUTER_GIB)


def elsewhere(endpoint: EndpointPlan, address: Address) -> StandIn:
    """Return an engine that somebody else runs."""
    return StandIn(endpoint=endpoint, address=address, processes=(), memory_gib=0, idle_seconds=0)


def _asleep(endpoint: EndpointPlan, port: int, processes: tuple[Process, ...], gib: float) -> StandIn:
    return StandIn(
        endpoint=endpoint,
        address=local(port),
        processes=processes,
        memory_gib=gib,
        idle_seconds=endpoint.scaling.sleep_after_seconds or IDLE_SECONDS,
    )


def _is_pair(endpoint: EndpointPlan) -> bool:
    return endpoint.shape == "prefill-decode"


def _engine(endpoint: EndpointPlan, role: str, port: int, files: EngineFiles) -> Process:
    return Process(
        name=f"engine-{endpoint.name}" if role == "serve" else f"engine-{endpoint.name}-{role}",
        command=(
            str(files.vllm),
            "serve",
            str(files.model),
            f"--host={LOOPBACK}",
            f"--port={port}",
            "--served-model-name",
            endpoint.id,
            "--enforce-eager",  # compiling takes longer than this model's answers
            "--enable-prefix-caching",
            "--enable-force-include-usage",
            "--enable-scale-out",  # routers ask for the tokens of prompts
            f"--max-model-len={_context_tokens(endpoint)}",
            f"--kv-cache-memory-bytes={KV_CACHE_MIB << 20}",
            *_adapters(endpoint, files),
            *_transfer(endpoint, role, files),
        ),
        environment={**ENGINE_ENVIRONMENT, "TMPDIR": str(files.temporary)},
        health=f"http://{LOOPBACK}:{port}/health",
    )


def _context_tokens(endpoint: EndpointPlan) -> int:
    """Return the context that the endpoint's own arguments ask for, as far as the tiny model's reaches."""
    option = "--max-model-len="
    asked = (argument.removeprefix(option) for argument in endpoint.roles[-1].args)
    lengths = [int(text) for text in asked if text.isdecimal()]
    return min([*lengths, CONTEXT_TOKENS])


def _adapters(endpoint: EndpointPlan, files: EngineFiles) -> Iterable[str]:
    if endpoint.adapters:
        yield "--enable-lora"
        yield f"--max-loras={len(endpoint.adapters)}"
        yield from (
            argument for argument in endpoint.roles[0].args if argument.startswith("--max-lora-rank=")
        )
        yield "--lora-modules"
        for adapter in endpoint.adapters:
            yield f"{endpoint.id}:{adapter.name}={files.adapters[adapter.name, adapter.rank]}"


def _transfer(endpoint: EndpointPlan, role: str, files: EngineFiles) -> Iterable[str]:
    """Hand over through a folder: the connector of the real machines needs their networks."""
    if role in HANDS_OVER:
        config = {
            "kv_connector": "ExampleConnector",
            "kv_role": HANDS_OVER[role],
            "kv_connector_extra_config": {"shared_storage_path": str(files.transfer / endpoint.name)},
        }
        yield f"--kv-transfer-config={json.dumps(config)}"
        yield "--block-size=32"  # short prompts have to fill a block to be handed over


def _router(
    endpoint: EndpointPlan, files: EngineFiles, port: int, metrics: int, prefill: int, decode: int
) -> Process:
    return Process(
        name=f"router-{endpoint.name}",
        command=(
            str(files.router),
            "--vllm-pd-disaggregation",
            "--prefill",
            f"http://{LOOPBACK}:{prefill}",
            "--decode",
            f"http://{LOOPBACK}:{decode}",
            "--policy=round_robin",
            f"--host={LOOPBACK}",
            f"--port={port}",
            f"--prometheus-host={LOOPBACK}",
            f"--prometheus-port={metrics}",
            f"--request-timeout-secs={endpoint.request_timeout_seconds}",
            f"--worker-startup-timeout-secs={ROUTER_WAITS_SECONDS}",
        ),
        environment={"OPENAI_API_KEY": ""},  # the router would send it to engines
        health=f"http://{LOOPBACK}:{port}/health",
    )
