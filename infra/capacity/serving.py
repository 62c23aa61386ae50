"""Whether a template's roles can serve a model and a load at all, and the memory that they do it with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import gcd

from infra.capacity.group import Group
from infra.capacity.load import Load
from infra.capacity.roles import PROMPTS_IN_PREFILL, RoleStack, role_fit
from infra.catalog.model import Model

GIB_ERROR = 1.0
"""Of memory per GPU: ten start-up logs of vLLM agree within it (tests/capacity/vllm_memory.csv)."""

FINEST_BLOCK = 32
"""vLLM cuts blocks of experts that end within one down to this: `refine_fp8_moe_block_shape`, 0.32.0."""

_GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleMemory:
    """Memory of a role's fullest GPU; GiB per GPU, estimated within `GIB_ERROR`."""

    role: str
    gpu: str
    gpus: int
    """Of one instance."""
    weights_gib: float
    kv_gib: float
    """For what it holds at once, or for the longest request where that is more."""
    adapters_gib: float
    overhead_gib: float
    available_gib: float

    @property
    def headroom_gib(self) -> float:
        """Return what is left; less than nothing where it does not fit."""
        needed = self.weights_gib + self.kv_gib + self.adapters_gib + self.overhead_gib
        return self.available_gib - needed

    @property
    def fits(self) -> bool:
        """Say whether it does."""
        return self.headroom_gib >= 0


def role_memories(
    model: Model,
    roles: Mapping[str, RoleStack],
    group: Group,
    load: Load,
    running: float,
    adapters_rank: tuple[int, ...] = (),
) -> tuple[RoleMemory, ...]:
    """Return the memory of each role while a group runs that many requests."""
    return tuple(
        _memory(model, name, stack, group, load, running, adapters_rank) for name, stack in roles.items()
    )


def _memory(
    model: Model,
    name: str,
    stack: RoleStack,
    group: Group,
    load: Load,
    running: float,
    adapters_rank: tuple[int, ...],
) -> RoleMemory:
    fit = role_fit(model, name, stack, 1, adapters_rank)
    engine, instance = group.roles[name], stack.pool.instance
    held = PROMPTS_IN_PREFILL if name == "prefill" else running / (engine.count * engine.ranks)
    tokens = load.input_tokens if name == "prefill" else load.context_tokens
    kv_gib = 0.0 if name == "encode" else max(fit.kv_gib, held * engine.kv.sequence_bytes(tokens) / _GIB)
    return RoleMemory(
        role=name,
        gpu=instance.gpu.name,
        gpus=instance.tensor_parallel * instance.pipeline_parallel * instance.data_parallel,
        weights_gib=fit.weights_gib,
        kv_gib=kv_gib,
        adapters_gib=fit.adapters_gib,
        overhead_gib=fit.overhead_gib,
        available_gib=fit.available_gib,
    )


def misfits(
    model: Model, roles: Mapping[str, RoleStack], adapters_rank: tuple[int, ...] = ()
) -> tuple[str, ...]:
    """Return why a template's roles cannot serve a model, whatever the load; nothing where they can."""
    return tuple(_misfits(model, roles, adapters_rank))


def too_long(roles: Mapping[str, RoleStack], load: Load) -> str | None:
    """Say that requests are longer than the engines of a template accept; None where they are not."""
    lengths = [stack.max_model_len for role, stack in roles.items() if role != "encode"]
    most = min((length for length in lengths if length), default=load.total_tokens)
    if load.total_tokens <= most:
        return None
    return f"context: max-model-len is {most:,} tokens, a request has {load.total_tokens:,}"


def _misfits(model: Model, roles: Mapping[str, RoleStack], adapters_rank: tuple[int, ...]) -> Iterator[str]:
    if "encode" in roles and model.vision is None:
        yield f"role encode: {model.name} takes no images"
    for name, stack in roles.items():
        if name == "encode" and model.vision is None:
            continue
        if name != "encode":
            yield from _parallel(model, name, stack)
            if (stack.max_model_len or 0) > model.max_context:
                yield (
                    f"role {name}: max-model-len {stack.max_model_len:,} is more than the longest context "
                    f"of {model.name}, {model.max_context:,}"
                )
        fit = role_fit(model, name, stack, 1, adapters_rank)
        if not fit.fits:
            gpu = stack.pool.instance.gpu.name
            yield (
                f"memory: role {name} needs {fit.needed_gib:.1f} GiB of each {gpu}, "
                f"{fit.needed_gib - fit.available_gib:.1f} GiB more than there is"
            )
    if "prefill" in roles and "decode" in roles and model.attention.kind != "mla":
        before, after = (roles[name].pool.instance.tensor_parallel for name in ("prefill", "decode"))
        if after < before:
            yield f"role decode: tensor_parallel {after} is less than prefill's {before}"


def _block_width(model: Model) -> int:
    """Return the columns that share a scale, as config.json says; 0 where scales are not in blocks."""
    for place in (model.engine_config.text, model.engine_config.top):
        config = place.get("quantization_config")
        if isinstance(config, Mapping) and isinstance(sizes := config.get("weight_block_size"), list | tuple):
            return int(str(sizes[0]))
    return 0


def _parallel(model: Model, name: str, stack: RoleStack) -> Iterator[str]:
    """Yield how a model cannot be divided; as the rule `parallelism` judges."""
    instance, attention = stack.pool.instance, model.attention
    size = instance.tensor_parallel
    if attention.heads % size:
        yield f"role {name}: tensor_parallel {size} does not divide {attention.heads} attention heads"
    elif attention.kind != "mla" and attention.kv_heads % size and size % attention.kv_heads:
        yield f"role {name}: tensor_parallel {size} does not suit {attention.kv_heads} KV heads"
    block = _block_width(model)
    if model.experts and block and not stack.expert_parallel:
        part = model.experts.mlp_size // size
        if part % block and gcd(block, part, model.hidden_size) < FINEST_BLOCK:
            yield (
                f"role {name}: tensor_parallel {size} cuts experts of {model.experts.mlp_size} columns "
                f"within their {block}-column blocks; enable-expert-parallel keeps them whole"
            )
    if instance.pipeline_parallel > model.layers:
        yield f"role {name}: more pipeline stages than the model's {model.layers} layers"
