"""Make a template's performance table: the most requests that a group holds at each tier's latency."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor
from typing import Literal

from infra.capacity.roles import RoleStack, most_sequences, role_fit
from infra.capacity.roofline import FITTED_GPUS, FORMULA, Estimate, Load, estimate
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


def _best(model: Model, roles: Mapping[str, RoleStack], tier: Tier) -> Estimate | None:
    """Return the fewest requests that bring nearly all the throughput to be had at a tier's latency."""
    pools = {name: stack.pool for name, stack in roles.items()}
    load = Load(image_tokens=model.vision.tokens_per_image if model.vision and "encode" in roles else 0)
    limit = most_sequences(roles)
    kept: list[Estimate] = []
    for concurrency in _CONCURRENCIES:
        if concurrency > limit or not all(
            role_fit(model, name, stack, concurrency).fits for name, stack in roles.items()
        ):
            break
        found = estimate(model, pools, concurrency, load)
        if found.ttft_ms > tier.ttft_ms or found.tpot_ms > tier.tpot_ms:
            break
        kept.append(found)
    enough = NEARLY_ALL * max((found.tps for found in kept), default=0.0)
    return next((found for found in kept if found.tps >= enough), None)


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
