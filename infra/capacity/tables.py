"""Make a template's performance table: the most requests that a group holds at each tier's latency."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor

from infra.capacity.facts import group_of
from infra.capacity.group import Group
from infra.capacity.load import Load
from infra.capacity.performance import Performance, largest, perform
from infra.capacity.roles import RoleStack, most_sequences, role_fit
from infra.capacity.steps import Label
from infra.catalog.curves import Curves
from infra.catalog.model import Model


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


def performance_rows(
    model: Model, curves: Curves, roles: Mapping[str, RoleStack], default_tier: str
) -> tuple[Row, ...]:
    """Return the tiers that a model reaches on a template; none where it fits badly or not at all.

    A tier that holds no more than a faster one is left out, unless it is the default.
    """
    group = group_of(model, curves, roles)
    load = reference_load(model, roles)
    rows: list[Row] = []
    for tier in TIERS:
        best = best_for(model, group, roles, load, tier)
        if best is None:
            continue
        row = _row(tier, best)
        if rows and row.concurrency <= rows[-1].concurrency:
            if tier.name != default_tier:
                continue
            rows.pop()
        rows.append(row)
    return tuple(rows) if any(row.tier == default_tier for row in rows) else ()


def reference_load(model: Model, roles: Mapping[str, RoleStack]) -> Load:
    """Return the load of the tables; with an image in it where a role encodes such."""
    return Load(image_tokens=model.vision.tokens_per_image if model.vision and "encode" in roles else 0)


def best_for(
    model: Model, group: Group, roles: Mapping[str, RoleStack], load: Load, tier: Tier
) -> Performance | None:
    """Return the fewest requests that bring nearly all the throughput to be had at a tier's latency."""
    limit = most_sequences(roles)

    def kept(concurrency: int) -> bool:
        if concurrency > limit or not all(
            role_fit(model, name, stack, concurrency).fits for name, stack in roles.items()
        ):
            return False
        found = perform(group, load, concurrency)
        return found.ttft_ms <= tier.ttft_ms and found.tpot_ms <= tier.tpot_ms

    most = largest(kept)
    if not most:
        return None
    enough = NEARLY_ALL * perform(group, load, most).total_tps
    fewer = largest(lambda concurrency: perform(group, load, concurrency).total_tps < enough)
    return perform(group, load, min(most, fewer + 1))


def _row(tier: Tier, best: Performance) -> Row:
    return Row(
        tier=tier.name,
        ttft_ms=ceil(best.ttft_ms / 10) * 10,
        tpot_ms=ceil(best.tpot_ms),
        concurrency=best.concurrency,
        tps=floor(best.total_tps / 10) * 10,
        label=best.provenance.label,
        source=best.provenance.source,
    )
