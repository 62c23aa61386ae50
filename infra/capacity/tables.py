"""Make a template's performance table: the most requests that a group holds at each tier's latency."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor
from typing import Literal

from infra.capacity.memory import MemoryFit, default_max_num_seqs, memory_fit
from infra.capacity.roofline import FITTED_GPUS, FORMULA, Estimate, Load, Pool, estimate
from infra.catalog.model import Model

Label = Literal["estimated", "extrapolated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A latency promise."""

    name: str
    ttft_ms: float
    tpot_ms: float


TIERS = (
    Tier(name="fast", ttft_ms=1500, tpot_ms=30),
    Tier(name="balanced", ttft_ms=3000, tpot_ms=60),
    Tier(name="economy", ttft_ms=6000, tpot_ms=120),
)

_CONCURRENCIES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)

NEARLY_ALL = 0.97
"""Beyond this share of the throughput, more requests only wait for each other."""

PROMPTS_IN_PREFILL = 4
"""Prompts whose KV cache a prefill instance holds at once: computed, waiting, and two on their way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStack:
    """The instances of a role in one group, and the arguments that decide their memory."""

    pool: Pool
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    gpu_memory_utilization: float = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table, rounded to what the estimate is worth."""

    tier: str
    ttft_ms: int
    tpot_ms: int
    concurrency: int
    tps: int
    label: Label
    source: str


def performance_rows(model: Model, roles: Mapping[str, RoleStack], default_tier: str) -> tuple[Row, ...]:
    """Return the tiers that a model reaches on a template; none where it fits badly or not at all.

    A tier that holds no more than a faster one is left out, unless it is the default.
    """
    rows: list[Row] = []
    for tier in TIERS:
        best = _best(model, roles, tier)
        if best is None:
            continue
        row = _row(tier, best, roles)
        if rows and row.concurrency <= rows[-1].concurrency:
            if tier.name != default_tier:
                continue
            rows.pop()
        rows.append(row)
    return tuple(rows) if any(row.tier == default_tier for row in rows) else ()


def fits(model: Model, roles: Mapping[str, RoleStack], concurrency: int) -> dict[str, MemoryFit]:
    """Return the memory of each role while a group holds that many requests."""
    return {name: _fit(model, name, stack, concurrency) for name, stack in roles.items()}


def _best(model: Model, roles: Mapping[str, RoleStack], tier: Tier) -> Estimate | None:
    """Return the fewest requests that bring nearly all the throughput to be had at a tier's latency."""
    pools = {name: stack.pool for name, stack in roles.items()}
    load = Load(image_tokens=model.vision.tokens_per_image if model.vision and "encode" in roles else 0)
    kept: list[Estimate] = []
    for concurrency in _CONCURRENCIES:
        if concurrency > _most_sequences(roles) or not _all_fit(model, roles, concurrency):
            break
        found = estimate(model, pools, concurrency, load)
        if found.ttft_ms > tier.ttft_ms or found.tpot_ms > tier.tpot_ms:
            break
        kept.append(found)
    enough = NEARLY_ALL * max((found.tps for found in kept), default=0.0)
    return next((found for found in kept if found.tps >= enough), None)


def _all_fit(model: Model, roles: Mapping[str, RoleStack], concurrency: int) -> bool:
    return all(fit.fits for fit in fits(model, roles, concurrency).values())


def _most_sequences(roles: Mapping[str, RoleStack]) -> int:
    """Return how many answers the engines of a group may write at once (max-num-seqs of each rank)."""
    stack = roles["decode"] if "decode" in roles else roles["serve"]
    instance = stack.pool.instance
    of_one_rank = stack.max_num_seqs or default_max_num_seqs(instance.gpu)
    return stack.pool.count * instance.data_parallel * of_one_rank


def _fit(model: Model, role: str, stack: RoleStack, concurrency: int) -> MemoryFit:
    instance, count = stack.pool.instance, stack.pool.count
    sequences = PROMPTS_IN_PREFILL if role == "prefill" else ceil(concurrency / count)
    return memory_fit(
        model,
        instance.gpu,
        role=role,
        tensor_parallel=instance.tensor_parallel,
        pipeline_parallel=instance.pipeline_parallel,
        data_parallel=instance.data_parallel,
        sequences=sequences,
        longest_sequence_tokens=min(stack.max_model_len or model.max_context, model.max_context),
        gpu_memory_utilization=stack.gpu_memory_utilization,
        kv_cache_dtype=instance.kv_cache_dtype,
        max_num_seqs=stack.max_num_seqs,
    )


def _row(tier: Tier, best: Estimate, roles: Mapping[str, RoleStack]) -> Row:
    label, source = _provenance(roles)
    return Row(
        tier=tier.name,
        ttft_ms=ceil(best.ttft_ms / 10) * 10,
        tpot_ms=ceil(best.tpot_ms),
        concurrency=best.concurrency,
        tps=floor(best.tps / 10) * 10,
        label=label,
        source=source,
    )


def _provenance(roles: Mapping[str, RoleStack]) -> tuple[Label, str]:
    """Say how far the constants may be trusted: only where public measurements were fitted."""
    instances = [stack.pool.instance for stack in roles.values()]
    fitted = all(
        i.gpu.name in FITTED_GPUS and i.pipeline_parallel == 1 and i.data_parallel == 1 for i in instances
    )
    if "serve" in roles and fitted:
        return "estimated", f"{FORMULA}; TPS error 12 % where public rows exist"
    return "extrapolated", f"{FORMULA}; no public rows for this GPU or shape"
