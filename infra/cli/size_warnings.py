"""What a buyer must know before the rest: promises that break, limits that are passed, machines in part."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from math import ceil

from infra.capacity.alternatives import Alternative, Demand
from infra.capacity.performance import OpenLoop, perform, under_rate
from infra.capacity.sizing import Sized
from infra.cli.market import Market
from infra.cli.size_numbers import count

MOST_TIMES = 4
"""As many steps as the answer are tried, to keep a promise at the asked rate."""
FEW = 2
"""Requests in flight, of a group that nearly holds none."""


def whole_hourly(one: Alternative, market: Market) -> float | None:
    """Return what the machines cost where no other endpoint shares them; None where one has no price."""
    parts = [(number, market.machines[name].hourly) for name, number in _machines(one).items()]
    if any(price is None for _, price in parts):
        return None
    return sum(number * (price or 0.0) for number, price in parts)


def warnings(one: Alternative, demand: Demand, market: Market) -> Iterator[str]:
    """Yield what is wrong with an answer, though it is the best that there is."""
    if one.sized is None:
        return
    yield from _at_the_rate(one, one.sized, demand)
    yield from _near_the_edge(one, one.sized, demand)
    for name, number in _machines(one).items():
        most = market.machines[name].most
        if most is not None and number > most:
            yield (
                f"{market.name} allows {count(most, 'machine')} of {name} for all of its endpoints, "
                f"this takes {number:,}"
            )


def _machines(one: Alternative) -> Mapping[str, int]:
    steps = one.sized.steps if one.sized else 0
    return {name: ceil(round(steps * share, 6)) for name, share in one.offer.machines_per_step.items()}


def _at_the_rate(one: Alternative, sized: Sized, demand: Demand) -> Iterator[str]:
    """Yield that requests which come at random break the promise, and how many units keep it."""
    offer, promised = one.offer, one.promise.ttft_ms
    load = offer.with_image(demand.load)

    def keeps(seen: OpenLoop | None) -> bool:
        return seen is not None and seen.ttft_mean_ms <= promised

    def enough(steps: int) -> bool:
        return keeps(
            under_rate(offer.group, load, demand.requests_per_second / (steps * offer.groups_per_step))
        )

    if keeps(sized.seen):
        return
    tried = range(sized.steps + 1, MOST_TIMES * sized.steps + 1)
    found = bisect_left(tried, True, key=enough)
    remedy = (
        f"{count(tried[found] * offer.units_per_step, 'unit')} keep it"
        if found < len(tried)
        else f"{MOST_TIMES} times the units do not keep it either"
    )
    told = (
        f"the mean TTFT is {sized.seen.ttft_mean_ms:,.0f} ms, above the promise of {promised:,.0f} ms"
        if sized.seen
        else f"groups cannot keep up by the estimate, so no TTFT keeps the promise of {promised:,.0f} ms"
    )
    yield f"At the asked rate {told}: {remedy}"


def _near_the_edge(one: Alternative, sized: Sized, demand: Demand) -> Iterator[str]:
    """Yield that the promise is so near to what can be that the expected error decides."""
    held, promised = sized.held, one.promise.ttft_ms
    error = held.provenance.ttft_error
    alone = perform(one.offer.group, one.offer.with_image(demand.load), 1)
    if alone.ttft_ms * (1 + error) > promised:
        yield (
            "The promise lies within the expected error of TTFT: a little less and nothing is held "
            f"(a request alone has {alone.ttft_ms:,.0f} ms ±{error:.0%}, promised are {promised:,.0f} ms)"
        )
    elif held.ttft_ms * (1 + error) > promised:
        yield (
            f"The promise of {promised:,.0f} ms lies within the expected error of TTFT, {held.ttft_ms:,.0f} "
            f"ms ±{error:.0%} with {held.concurrency:,} in flight"
        )
    if held.concurrency <= FEW:
        yield (
            f"A group keeps the promise with {count(held.concurrency, 'request')} in flight at most: a "
            "little less and nothing is held"
        )
