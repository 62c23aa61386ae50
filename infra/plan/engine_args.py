"""The argument list of `vllm serve`: what Model Units decides, then what people add."""

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from infra.catalog.model import EngineFlags
from infra.names import ADAPTERS_PATH, ENGINE_PORT, MODEL_PATH, TRANSFER_PATH
from infra.plan.model import Adapter
from infra.spec.endpoint import EngineArg
from infra.spec.template import Role, RoleName, Template

KV_ROLES: Mapping[RoleName, Literal["kv_producer", "kv_consumer"]] = MappingProxyType(
    {"prefill": "kv_producer", "decode": "kv_consumer"}
)
"""kv_both is deprecated in vLLM 0.32, and its router decides who prefills anyway."""

EC_ROLES: Mapping[RoleName, Literal["ec_producer", "ec_consumer"]] = MappingProxyType(
    {"encode": "ec_producer", "prefill": "ec_consumer"}
)

_SHARED_FOLDER_CONNECTORS = ("ExampleConnector", "ECExampleConnector")
"""Connectors that hand over through files; all roles must see the same folder."""


def role_args(
    *,
    role_name: RoleName,
    role: Role,
    template: Template,
    endpoint_id: str,
    weights: str,
    adapters: Sequence[Adapter],
    machines_per_instance: int,
    added: Mapping[str, EngineArg],
    flags: EngineFlags,
) -> tuple[str, ...]:
    """Return the arguments of every engine of a role, after `vllm serve`.

    Where an instance spans machines, each of its engines needs its --node-rank and the --master-addr besides,
    and all but the first --headless: only the running group knows those.
    """
    decided = [
        *_model(weights),
        # Streams then say how many tokens they used, which limits per minute count.
        "--enable-force-include-usage",
        # The router then asks for the tokens of a prompt, and finds the engine that has them in its cache.
        *(("--enable-scale-out",) if role_name in ("serve", "prefill") else ()),
        # The id is the first and only name: metrics carry it, and callers send it as `model`.
        "--served-model-name",
        endpoint_id,
        _option("port", ENGINE_PORT),
        *_parallel(role, machines_per_instance),
        *_transfer(role_name, template),
        *(_prompts(endpoint_id, adapters, flags) if role_name != "encode" else _encoder()),
    ]
    return (*decided, *(_option(name, value) for name, value in sorted(added.items())))


def _model(weights: str) -> tuple[str, ...]:
    scheme, _, place = weights.partition("://")
    match scheme:
        case "hf":
            repository, _, revision = place.partition("@")
            return (repository, _option("revision", revision)) if revision else (repository,)
        case "pvc":
            return (MODEL_PATH,)
        case _:
            return (weights, _option("load-format", "runai_streamer"))


def _parallel(role: Role, machines_per_instance: int) -> Iterable[str]:
    yield _option("tensor-parallel-size", role.tensor_parallel)
    if role.pipeline_parallel > 1:
        yield _option("pipeline-parallel-size", role.pipeline_parallel)
    if role.data_parallel > 1:
        yield _option("data-parallel-size", role.data_parallel)
    if machines_per_instance > 1:
        # Without Ray: a second cluster manager inside the cluster is one too many.
        yield _option("distributed-executor-backend", "mp")
        yield _option("nnodes", machines_per_instance)


def _transfer(role_name: RoleName, template: Template) -> Iterable[str]:
    if template.kv_transfer and role_name in KV_ROLES:
        connector = template.kv_transfer.connector
        yield _connector("kv", connector, KV_ROLES[role_name])
    if template.ec_transfer and role_name in EC_ROLES:
        connector = template.ec_transfer.connector
        yield _connector("ec", connector, EC_ROLES[role_name])
    if template.ec_transfer and role_name in KV_ROLES:
        # The router puts references to encoder outputs in place of images (vllm-project/router, docs/epd.md).
        yield "--enable-mm-embeds"


def _connector(kind: Literal["kv", "ec"], connector: str, role: str) -> str:
    config: dict[str, str | dict[str, str]] = {f"{kind}_connector": connector, f"{kind}_role": role}
    if connector in _SHARED_FOLDER_CONNECTORS:
        config[f"{kind}_connector_extra_config"] = {"shared_storage_path": f"{TRANSFER_PATH}/{kind}"}
    return _option(f"{kind}-transfer-config", json.dumps(config, separators=(",", ":")))


def _prompts(endpoint_id: str, adapters: Sequence[Adapter], flags: EngineFlags) -> Iterable[str]:
    """Yield what engines with a language model take: the transparent local cache, and adapters."""
    yield "--enable-prefix-caching"
    if adapters:
        yield "--enable-lora"
        yield _option("max-loras", len(adapters))
        yield _option("max-lora-rank", max_lora_rank(adapters, flags))
        yield "--lora-modules"
        yield from (f"{endpoint_id}:{adapter.name}={ADAPTERS_PATH}/{adapter.name}" for adapter in adapters)


def _encoder() -> tuple[str, ...]:
    """Return what an encoder alone takes; it holds no KV cache that prefixes could be kept in."""
    return ("--mm-encoder-only", "--no-enable-prefix-caching")


def max_lora_rank(adapters: Sequence[Adapter], flags: EngineFlags) -> int:
    """Return the smallest rank that the engine can be started with and that holds every adapter."""
    largest = max(adapter.rank for adapter in adapters)
    return min(rank for rank in map(int, flags.flags["max-lora-rank"].choices) if rank >= largest)


def _option(name: str, value: EngineArg) -> str:
    """Return one argument; in one piece, so that a value may begin with a dash."""
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name}={value}"
