"""How much of an offer a load takes: steps, units, GPUs, machines and money."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Literal

from infra.capacity.calibration import same_shape
from infra.capacity.fitted import typical
from infra.capacity.group import Group
from infra.capacity.load import REFERENCE_LOAD, Load
from infra.capacity.performance import OpenLoop, Performance, best_within, under_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """The latencies that a tier keeps."""

    ttft_ms: float
    tpot_ms: float


TIERS: Mapping[str, Promise] = {
    "fast": Promise(ttft_ms=1500, tpot_ms=30),
    "balanced": Promise(ttft_ms=3000, tpot_ms=60),
    "economy": Promise(ttft_ms=6000, tpot_ms=120),
}
"""The tiers of every template; what a group does at each is in the template's performance table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A row of a performance table that a real group stands behind."""

    concurrency: int
    ttft_ms: float
    tpot_ms: float
    total_tps: float
    label: Literal["measured", "calibrated"]
    source: str
    load: Load = REFERENCE_LOAD

    def holds(self, load: Load) -> bool:
        """Say whether a load is as good as its own: no length differs by more than a tenth."""
        same_image = load.image_tokens == self.load.image_tokens
        return not load.adapters and same_image and same_shape(load, self.load)

    def under(self, load: Load) -> Performance:
        """Return the row's numbers for a load that is as good as its own."""
        rate = self.total_tps / load.total_tokens
        return Performance(
            concurrency=self.concurrency,
            ttft_ms=self.ttft_ms,
            tpot_ms=self.tpot_ms,
            requests_per_second=rate,
            output_tps=rate * load.output_tokens,
            total_tps=self.total_tps,
            running=self.concurrency,
            bottleneck="",
            limit="",
            provenance=typical(self.label, self.label, self.source),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One template, for one model."""

    group: Group
    groups_per_step: int
    units_per_step: int
    gpus_per_step: int
    machines_per_step: Mapping[str, float]
    """By type; shares of machines count as such."""
    hourly_per_step: float | None
    """None where a machine has no price; so below."""
    monthly_per_step: float | None
    tiers: Mapping[str, Promise]
    known: Mapping[str, Known] = field(default_factory=dict)
    """By tier, where it was measured or calibrated."""

    image_tokens: int = 0
    """Of the input of every request, where a role encodes images."""

    def answer(self, tier: str, load: Load) -> Performance | None:
        """Return what is known of a tier where the load is as good as the one it is known at."""
        known, load = self.known.get(tier), self.with_image(load)
        return known.under(load) if known and known.holds(load) else None

    def with_image(self, load: Load) -> Load:
        """Return a load whose requests bring the image that this offer is for."""
        return replace(load, image_tokens=min(self.image_tokens, load.input_tokens))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """Steps of an offer that serve a load within a promise."""

    held: Performance
    """One group at the most that keeps the promise."""
    seen: OpenLoop | None
    """What callers see of one group at its share of the load, requests coming at random."""
    steps: int
    units: int
    gpus: int
    machines: int
    step_requests_per_second: float
    hourly: float | None
    monthly: float | None
    """Reserved for a month: less an hour than `hourly`, all hours."""
    per_million_tokens: float | None
    """At the load, in hourly units."""


def size(
    offer: Offer,
    load: Load,
    promise: Promise,
    requests_per_second: float,
    headroom: float,
    known: Performance | None = None,
) -> Sized | None:
    """Return what a load takes; None where not even one request at a time keeps the promise.

    What is known of a group goes before what is estimated.
    """
    load = offer.with_image(load)
    held = known or best_within(offer.group, load, promise.ttft_ms, promise.tpot_ms)
    if held is None:
        return None
    of_step = held.requests_per_second * offer.groups_per_step
    steps = max(1, ceil(round(requests_per_second * headroom / of_step, 9)))
    hourly = None if offer.hourly_per_step is None else steps * offer.hourly_per_step
    tokens = requests_per_second * load.total_tokens * 3600
    return Sized(
        held=held,
        seen=under_rate(offer.group, load, requests_per_second / (steps * offer.groups_per_step)),
        steps=steps,
        units=steps * offer.units_per_step,
        gpus=steps * offer.gpus_per_step,
        machines=sum(ceil(round(steps * share, 6)) for share in offer.machines_per_step.values()),
        step_requests_per_second=of_step,
        hourly=hourly,
        monthly=None if offer.monthly_per_step is None else steps * offer.monthly_per_step,
        per_million_tokens=None if hourly is None else hourly / tokens * 1e6,
    )
