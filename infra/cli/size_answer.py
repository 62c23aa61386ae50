"""The answer of `modelunits size`, before it is printed: every number with how far to trust it."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor

from infra.capacity.alternatives import Alternative, Demand
from infra.capacity.commitment import HOURS_PER_MONTH
from infra.capacity.sensitivity import Sensitivity
from infra.capacity.serving import GIB_ERROR, RoleMemory
from infra.capacity.sizing import Offer, Sized
from infra.capacity.steps import Label, Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number, the range that it is expected in, and how it came to be."""

    value: float
    low: float
    high: float
    label: Label
    error: float
    """Expected, as a share of the value, of what the range was made from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a unit or a step does."""

    requests_per_second: Number
    output_tps: Number
    total_tps: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All numbers of one alternative."""

    concurrency: Number
    """Of one group, as are the latencies."""
    ttft_ms: Number
    tpot_ms: Number
    open_loop_ttft_ms: Mapping[str, Number] | None
    """By percentile, requests coming at random; None where a group cannot keep up."""
    unit: Rates
    step: Rates
    units: Number
    gpus: Number
    machines: Number
    hourly: Number | None
    """None where a machine has no price; so below."""
    monthly_hourly: Number | None
    """A month of units that are paid by the hour."""
    monthly_reserved: Number | None
    per_million_tokens: Number | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One alternative, with its numbers and the memory of its roles."""

    alternative: Alternative
    figures: Figures | None
    """None where it is too slow."""
    memory: tuple[RoleMemory, ...]

    @property
    def sized(self) -> Sized | None:
        """Return what it takes."""
        return self.alternative.sized

    @property
    def provenance(self) -> Provenance:
        """Return how far its numbers are to be trusted."""
        sized = self.sized
        return sized.held.provenance if sized else self.alternative.offer.group.provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What `modelunits size` says."""

    model: str
    demand: Demand
    market: str
    currency: str
    rows: str
    """What the entries are: tiers of one template, or templates."""
    chosen: Entry
    whole_hourly: float | None
    """Of whole machines, where the cost is that of the share which is used; None without a price."""
    warnings: tuple[str, ...]
    entries: tuple[Entry, ...]
    left_out: Mapping[str, str]
    """Templates that cannot serve the model, and why."""
    sensitivities: tuple[Sensitivity, ...]
    lora_unverified: bool
    """Whether adapters slow a step down by a factor that nobody measured."""

    @property
    def gib_error(self) -> float:
        """Return the error to expect of memory, in GiB per GPU."""
        return GIB_ERROR

    def name(self, entry: Entry) -> str:
        """Return what an entry is called in its column."""
        one = entry.alternative
        return (one.tier or "as asked") if self.rows == "Tier" else one.template


def figures(offer: Offer, sized: Sized, demand: Demand) -> Figures:
    """Return the numbers of a size, each with its range."""
    held, seen = sized.held, sized.seen
    by = held.provenance

    def number(value: float, error: float) -> Number:
        return Number(
            value=value,
            low=value * max(0.0, 1 - error),
            high=value * (1 + error),
            label=by.label,
            error=error,
        )

    def rates(groups: float) -> Rates:
        return Rates(
            requests_per_second=number(held.requests_per_second * groups, by.tps_error),
            output_tps=number(held.output_tps * groups, by.tps_error),
            total_tps=number(held.total_tps * groups, by.tps_error),
        )

    def steps(tps: float) -> int:
        of_step = sized.step_requests_per_second * tps
        return max(1, ceil(round(demand.requests_per_second * demand.headroom / of_step, 9)))

    fewest, most = steps(1 + by.tps_error), steps(max(0.05, 1 - by.tps_error))

    def of_steps(value: float | None) -> Number | None:
        """Return a number that is so much for each step."""
        if value is None:
            return None
        each = value / sized.steps
        return Number(value=value, low=each * fewest, high=each * most, label=by.label, error=by.tps_error)

    def counted(value: int) -> Number:
        found = of_steps(value)
        assert found is not None
        return found

    machines = [sum(ceil(round(n * s, 6)) for s in offer.machines_per_step.values()) for n in (fewest, most)]
    percentiles = {"p50": "ttft_p50_ms", "p90": "ttft_p90_ms", "p99": "ttft_p99_ms"}
    return Figures(
        concurrency=Number(
            value=held.concurrency,
            low=max(1, floor(held.concurrency * (1 - by.tps_error))),
            high=ceil(held.concurrency * (1 + by.tps_error)),
            label=by.label,
            error=by.tps_error,
        ),
        ttft_ms=number(held.ttft_ms, by.ttft_error),
        tpot_ms=number(held.tpot_ms, by.tpot_error),
        open_loop_ttft_ms={
            name: number(float(getattr(seen, field)), seen.provenance.ttft_error)
            for name, field in percentiles.items()
        }
        if seen
        else None,
        unit=rates(offer.groups_per_step / offer.units_per_step),
        step=rates(offer.groups_per_step),
        units=counted(sized.units),
        gpus=counted(sized.gpus),
        machines=Number(
            value=sized.machines, low=machines[0], high=machines[1], label=by.label, error=by.tps_error
        ),
        hourly=of_steps(sized.hourly),
        monthly_hourly=of_steps(None if sized.hourly is None else sized.hourly * HOURS_PER_MONTH),
        monthly_reserved=of_steps(sized.monthly),
        per_million_tokens=of_steps(sized.per_million_tokens),
    )
