"""Tiers of one template, or templates of one model, beside each other: what each takes, or why it cannot."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from infra.capacity.load import Load
from infra.capacity.performance import TPOT_MARGIN, perform
from infra.capacity.sizing import Offer, Promise, Sized, size


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked of every alternative."""

    load: Load
    requests_per_second: float
    headroom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TooSlow:
    """Why not even one request at a time keeps a promise."""

    promise: Promise
    limit: Literal["compute", "bandwidth"]
    ttft_ms: float
    """Of one prompt alone."""
    tpot_ms: float
    """Of one request alone, with the part of its expected error that a promise has to bear."""

    @property
    def slower(self) -> float:
        """Return by which factor the promise is missed."""
        return max(self.ttft_ms / self.promise.ttft_ms, self.tpot_ms / self.promise.tpot_ms)

    def __str__(self) -> str:
        told = {
            "compute": f"TTFT of a single prompt is {self.ttft_ms:,.0f} ms",
            "bandwidth": f"TPOT of a single request is {self.tpot_ms:,.1f} ms",
        }
        return f"{self.limit}: {told[self.limit]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A template at a tier, or at latencies without a name."""

    template: str
    tier: str | None
    promise: Promise
    offer: Offer
    sized: Sized | None
    too_slow: TooSlow | None
    """Why, where it is not sized."""


def alternative(
    template: str, offer: Offer, tier: str | None, promise: Promise, demand: Demand
) -> Alternative:
    """Return what a demand takes of a template at a tier."""
    known = offer.answer(tier, demand.load) if tier else None
    sized = size(offer, demand.load, promise, demand.requests_per_second, demand.headroom, known)
    return Alternative(
        template=template,
        tier=tier,
        promise=promise,
        offer=offer,
        sized=sized,
        too_slow=None if sized else _too_slow(offer, demand.load, promise),
    )


def nearest(alternatives: Iterable[Alternative]) -> Alternative | None:
    """Return the one that costs least of those that can; where none can, the one that misses least."""
    found = tuple(alternatives)
    able = [each for each in found if each.sized]
    if able:
        return min(able, key=_costs)
    return min((each for each in found if each.too_slow), key=_misses, default=None)


def _costs(one: Alternative) -> tuple[bool, float, int]:
    hourly = one.sized.hourly if one.sized else None
    return hourly is None, hourly or 0.0, one.sized.gpus if one.sized else 0


def _misses(one: Alternative) -> float:
    return one.too_slow.slower if one.too_slow else 0.0


def _too_slow(offer: Offer, load: Load, promise: Promise) -> TooSlow:
    alone = perform(offer.group, offer.with_image(load), 1)
    tpot_ms = alone.tpot_ms * (1 + TPOT_MARGIN * alone.provenance.tpot_error)
    ttft_missed, tpot_missed = alone.ttft_ms / promise.ttft_ms, tpot_ms / promise.tpot_ms
    return TooSlow(
        promise=promise,
        limit="compute" if ttft_missed > tpot_missed else "bandwidth",
        ttft_ms=alone.ttft_ms,
        tpot_ms=tpot_ms,
    )
