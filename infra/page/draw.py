"""What the page's two plots show."""

from collections.abc import Iterator, Mapping
from itertools import count
from math import ceil

from infra.capacity.group import Group
from infra.capacity.load import Load
from infra.capacity.performance import perform
from infra.capacity.sizing import Offer, Promise, Sized
from infra.page.offers import Asked
from infra.page.view import CostPlot, LatencyPlot, Point, Stairs, TierMark

LEAST_DRAWN = 32
"""Requests in flight that the latency plot shows at least."""
MOST_STAIRS = 200
"""Steps of a template that are drawn; beyond, the line ends."""


def latency_plot(
    offer: Offer, load: Load, promises: Mapping[str, Promise], tiers: Mapping[str, Sized]
) -> LatencyPlot:
    """Return the latencies of one group, as far as twice what the most generous tier holds."""
    held = {name: sized.held for name, sized in tiers.items()}
    points = _latencies(
        offer.group,
        offer.with_image(load),
        upto=max([LEAST_DRAWN, *(2 * there.concurrency for there in held.values())]),
        highest_ttft_ms=max(promise.ttft_ms for promise in promises.values()),
    )
    return LatencyPlot(
        points=points,
        ttft_error=offer.group.provenance.ttft_error,
        tpot_error=offer.group.provenance.tpot_error,
        tiers=tuple(
            TierMark(
                name=name,
                ttft_ms=promise.ttft_ms,
                tpot_ms=promise.tpot_ms,
                point=(held[name].concurrency, held[name].ttft_ms, held[name].tpot_ms)
                if name in held
                else None,
            )
            for name, promise in promises.items()
        ),
    )


def cost_plot(
    templates: Mapping[str, Offer], sized: Mapping[str, Sized], asked: Asked, currency: str
) -> CostPlot:
    """Return the hourly cost of every template that keeps the promise, as far as twice the load."""
    highest = 2 * asked.requests_per_second
    priced = {
        name: (found.step_requests_per_second / asked.headroom, templates[name].hourly_per_step)
        for name, found in sized.items()
    }
    return CostPlot(
        title=f"{currency} per hour",
        asked=asked.requests_per_second,
        highest=highest,
        series=tuple(
            Stairs(name=name, points=_stairs(rate, hourly, highest))
            for name, (rate, hourly) in priced.items()
            if hourly is not None
        ),
    )


def _latencies(group: Group, load: Load, *, upto: int, highest_ttft_ms: float) -> tuple[Point, ...]:
    points: list[Point] = []
    for concurrency in _grid(upto):
        there = perform(group, load, concurrency)
        # Once requests wait for room, or longer than any promise, their wait is all that a plot would show.
        if len(points) > 1 and (there.running < concurrency or there.ttft_ms > highest_ttft_ms):
            break
        points.append((concurrency, there.ttft_ms, there.tpot_ms))
    return tuple(points)


def _grid(upto: int) -> Iterator[int]:
    """Yield 1, 2, 3, 4, 6, 8, 12, 16 and so on, to the first that is not below the end."""
    for power in count():
        for here in (2**power, 2**power * 3 // 2) if power else (1,):
            yield here
            if here >= upto:
                return


def _stairs(rate_per_step: float, hourly_per_step: float, highest: float) -> tuple[Point, ...]:
    """Return the corners of the cost of whole steps over requests per second."""
    steps = min(MOST_STAIRS, max(1, ceil(highest / rate_per_step)))
    corners = [(number * rate_per_step, (number + 1) * hourly_per_step) for number in range(steps)]
    return (*corners, (min(highest, steps * rate_per_step), steps * hourly_per_step))
