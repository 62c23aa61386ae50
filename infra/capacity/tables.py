"""Make a template's performance table: the most requests that a group holds at each tier's latency."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor

from infra.capacity.calibration import Calibration
from infra.capacity.facts import group_of
from infra.capacity.load import Load
from infra.capacity.performance import Performance, best_within, largest, perform
from infra.capacity.roles import RoleStack, role_fit
from infra.capacity.serving import misfits
from infra.capacity.sizing import TIERS
from infra.capacity.steps import Label
from infra.catalog.curves import Curves
from infra.catalog.model import Model


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
    model: Model,
    curves: Curves,
    roles: Mapping[str, RoleStack],
    default_tier: str,
    calibration: Calibration | None = None,
) -> tuple[Row, ...]:
    """Return the tiers that a model reaches on a template; none where it fits badly or not at all.

    A tier that holds no more than a faster one is left out, unless it is the default.
    """
    if misfits(model, roles):
        return ()
    group = group_of(model, curves, roles, calibration=calibration)
    load = reference_load(model, roles)
    # Plans hold a tier's concurrency against memory with every answer at its full length.
    most = largest(lambda requests: all(role_fit(model, *one, requests).fits for one in roles.items()))
    rows: list[Row] = []
    for tier, promise in TIERS.items():
        best = best_within(group, load, promise.ttft_ms, promise.tpot_ms)
        if best is None:
            continue
        if best.concurrency > most:
            best = perform(group, load, most)
        row = _row(tier, best)
        if rows and row.concurrency <= rows[-1].concurrency:
            if tier != default_tier:
                continue
            rows.pop()
        rows.append(row)
    return tuple(rows) if any(row.tier == default_tier for row in rows) else ()


def reference_load(model: Model, roles: Mapping[str, RoleStack]) -> Load:
    """Return the load of the tables; with an image in it where a role encodes such."""
    return Load(image_tokens=model.vision.tokens_per_image if model.vision and "encode" in roles else 0)


def _row(tier: str, best: Performance) -> Row:
    return Row(
        tier=tier,
        ttft_ms=ceil(best.ttft_ms / 10) * 10,
        tpot_ms=ceil(best.tpot_ms),
        concurrency=best.concurrency,
        tps=floor(best.total_tps / 10) * 10,
        label=best.provenance.label,
        source=best.provenance.source,
    )
