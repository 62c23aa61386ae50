"""Which assumption matters most: how units and cost change when one of them is a bit off."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from infra.capacity.alternatives import Demand
from infra.capacity.load import Load
from infra.capacity.performance import Performance, best_within
from infra.capacity.sizing import Offer, Promise, Sized

OFF_BY = 0.2
"""Share by which lengths and rate are varied; cache hits by as many points."""
MOST_CACHE_HIT = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a load takes once an assumption is another."""

    told: str
    """The assumption's value, as people write it."""
    units: int | None
    """None where the promise is no longer kept."""
    hourly: float | None
    demand: float
    """Steps before they are rounded up; infinite where the promise is no longer kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """One assumption, less and more."""

    assumption: str
    less: Outcome
    more: Outcome

    @property
    def spread(self) -> float:
        """Return how far apart both are, in steps."""
        less, more = self.less.demand, self.more.demand
        return 0.0 if less == more else abs(more - less)


def sensitivities(offer: Offer, promise: Promise, demand: Demand, sized: Sized) -> tuple[Sensitivity, ...]:
    """Return every assumption of a size, the one that matters most first."""
    return tuple(sorted(_all(offer, promise, demand, sized), key=lambda one: -one.spread))


def _all(offer: Offer, promise: Promise, demand: Demand, sized: Sized) -> Iterator[Sensitivity]:
    load = demand.load

    def held(load: Load) -> Performance | None:
        return best_within(offer.group, offer.with_image(load), promise.ttft_ms, promise.tpot_ms)

    base = held(load)

    def at(told: str, changed: Demand, tps: float = 1.0) -> Outcome:
        """Size anew; a known rate changes by as much as the estimated one does."""
        same = changed.load == load
        found = base if same else held(changed.load)
        if found is None or base is None:
            return Outcome(told=told, units=None, hourly=None, demand=float("inf"))
        rate = sized.step_requests_per_second * tps * found.requests_per_second / base.requests_per_second
        wanted = changed.requests_per_second * changed.headroom / rate
        steps = max(1, ceil(wanted))
        hourly = None if offer.hourly_per_step is None else steps * offer.hourly_per_step
        return Outcome(told=told, units=steps * offer.units_per_step, hourly=hourly, demand=wanted)

    def tokens(name: str, value: int) -> Sensitivity:
        less, more = (max(1, round(value * factor)) for factor in (1 - OFF_BY, 1 + OFF_BY))
        return Sensitivity(
            assumption=name.replace("_", " "),
            less=at(f"{less:,}", replace(demand, load=replace(load, **{name: less}))),
            more=at(f"{more:,}", replace(demand, load=replace(load, **{name: more}))),
        )

    yield tokens("input_tokens", load.input_tokens)
    yield tokens("output_tokens", load.output_tokens)
    hits = (max(0.0, load.cache_hit - OFF_BY), min(MOST_CACHE_HIT, load.cache_hit + OFF_BY))
    fewer, more = (at(f"{hit:.0%}", replace(demand, load=replace(load, cache_hit=hit))) for hit in hits)
    yield Sensitivity(assumption="cache hit", less=fewer, more=more)
    rates = [demand.requests_per_second * factor for factor in (1 - OFF_BY, 1 + OFF_BY)]
    slower, faster = (at(f"{rate:,.3g}", replace(demand, requests_per_second=rate)) for rate in rates)
    yield Sensitivity(assumption="requests per second", less=slower, more=faster)
    error = sized.held.provenance.tps_error
    worse, better = (at(f"{tps:+.0%}", demand, 1 + tps) for tps in (-error, error))
    yield Sensitivity(assumption="TPS, by its expected error", less=worse, more=better)
