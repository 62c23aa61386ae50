"""What to buy for a log of requests."""

from datetime import UTC, datetime
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.capacity.commitment import (
    HOURS_PER_MONTH,
    STAY_MINUTES,
    StepPrice,
    TrafficSize,
    commitment,
    size_traffic,
)
from infra.capacity.load import Load
from infra.capacity.traffic import Requests, Traffic, describe
from infra.render.autoscaling import SCALE_DOWN_WINDOW_SECONDS

PRICE = StepPrice(monthly=3650, hourly=10)
"""A step that is up for more than half of the time is cheaper reserved."""


def traffic_of(per_minute: list[int], tokens_in: list[int] | None = None) -> Traffic:
    """Return a log with so many requests each minute, of so many tokens in each."""
    lengths = tokens_in or [100] * len(per_minute)
    arrivals = [60 * minute + 60 * n / count for minute, count in enumerate(per_minute) for n in range(count)]
    tokens = [lengths[minute] for minute, count in enumerate(per_minute) for _ in range(count)]
    return describe(
        Requests(
            begin=datetime(2026, 11, 20, tzinfo=UTC),
            arrivals_s=arrivals,
            input_tokens=tokens,
            output_tokens=[10] * len(tokens),
        )
    )


def size(traffic: Traffic, *, price: StepPrice | None = PRICE, headroom: float = 1.0) -> TrafficSize:
    """Size for a step of four units that serves one request a second."""
    return size_traffic(traffic, step_rps=1.0, step_units=4, headroom=headroom, price=price)


def test_units_of_a_minute_are_whole_steps() -> None:
    """Demand times headroom over the rate of a step, rounded up; a minute without a request needs none."""
    sized = size(traffic_of([60, 61, 0, 1, 120]))

    assert [4, 8, 0, 4, 8] == [need.units for need in sized.series]
    assert 8 == sized.peak_units
    assert 24 / 5 == sized.mean_units


def test_headroom_scales_demand() -> None:
    """A headroom of 1.2 needs a second step from five sixths of what one step serves."""
    assert [4, 8] == [need.units for need in size(traffic_of([50, 51]), headroom=1.2).series]


def test_minutes_of_longer_requests_need_more_where_the_rate_is_a_function() -> None:
    """Where a step's time is proportional to the tokens in, requests ten times longer count ten times."""

    def step_rps(load: Load) -> float:
        return 1000 / load.input_tokens

    traffic = traffic_of([30, 30], [100, 1000])
    sized = size_traffic(traffic, step_rps=step_rps, step_units=1, headroom=1.0, price=None)

    assert 1000 / 550 == pytest.approx(sized.step_rps)
    assert [1, 1] == [need.units for need in sized.series]
    assert [1, 5] == [
        need.units
        for need in size_traffic(
            traffic_of([300, 300], [100, 1000]), step_rps=step_rps, step_units=1, headroom=1.0, price=None
        ).series
    ]


def test_a_minute_with_a_request_needs_a_step_however_small() -> None:
    """Where work grows faster than tokens, a straight line says that short requests are free."""
    traffic = traffic_of([1, 1], [10, 10_000])
    sized = size_traffic(
        traffic,
        step_rps=lambda load: 1e9 / load.input_tokens**2,
        step_units=1,
        headroom=1.0,
        price=None,
    )

    assert [1, 1] == [need.units for need in sized.series]


def test_without_prices_there_is_no_commitment() -> None:
    """Units are still said; what is cheapest is not guessed."""
    sized = size(traffic_of([60]), price=None)

    assert sized.commitment is None
    assert 4 == sized.peak_units


def test_a_step_that_is_up_most_of_the_time_is_reserved() -> None:
    """At a break-even of one half, a base of one step is reserved and the rare second one is not."""
    bought = commitment([1] * 90 + [2] * 5 + [0] * 5, step_units=4, price=PRICE)

    assert (4, 4) == (bought.reserved_units, bought.hourly_max_units)
    assert 0.5 == bought.break_even_share
    assert 3650 == bought.reserved_cost
    assert HOURS_PER_MONTH * 10 * 10 / 100 == pytest.approx(bought.hourly_cost), "5 minutes, and 5 to go away"
    assert bought.monthly_cost < min(bought.all_reserved_cost, bought.all_hourly_cost)


def test_between_equal_costs_hourly_units_are_bought() -> None:
    """They bind nobody."""
    bought = commitment([1] * 5 + [0] * 15, step_units=1, price=PRICE)

    assert bought.reserved_units == 0
    assert bought.all_reserved_cost == bought.all_hourly_cost


def test_hourly_units_stay_as_long_as_autoscaling_keeps_them() -> None:
    """The calculator pays for the window that the autoscaler waits."""
    assert SCALE_DOWN_WINDOW_SECONDS == STAY_MINUTES * 60


def test_free_hourly_units_leave_nothing_to_reserve() -> None:
    """A price of 0 is a price."""
    bought = commitment([3] * 10, step_units=1, price=StepPrice(monthly=100, hourly=0))

    assert (0, 3) == (bought.reserved_units, bought.hourly_max_units)
    assert 1 == bought.break_even_share


def test_a_short_log_says_what_it_cannot_show() -> None:
    """Nights from less than a day, weekends from less than a week."""
    hour = " ".join(size(traffic_of([1] * 60)).limits)
    day = " ".join(size(traffic_of([1] * 1440)).limits)
    week = " ".join(size(traffic_of([1] * 7 * 1440)).limits)

    assert "59 min: it cannot show nights" in hour
    assert "24.0 h: it cannot show weekends" in day
    assert "cannot show" not in week


def test_a_log_with_gaps_says_what_they_were_taken_for() -> None:
    """Idle up to three days, missing beyond."""
    said = " ".join(size(traffic_of([1, *([0] * 100), 1, *([0] * 5000), 1])).limits)

    assert "3.5 days without a request are taken for missing data" in said
    assert "idleness; the longest is 101 min" in said


NEED = st.lists(st.integers(0, 9), min_size=1, max_size=40)
PRICES = st.builds(StepPrice, monthly=st.integers(0, 20_000), hourly=st.integers(0, 30))


def cost(need: list[int], reserved: int, price: StepPrice) -> float:
    """Return a month's cost of reserving so many steps, minute by minute as the words say it."""
    hourly = 0.0
    for at in range(len(need)):
        up = max(need[max(0, at - STAY_MINUTES) : at + 1])
        hourly += max(0, up - reserved) * price.hourly
    return reserved * price.monthly + hourly / len(need) * HOURS_PER_MONTH


@given(NEED, PRICES, st.integers(1, 8))
def test_no_other_reserved_floor_costs_less(need: list[int], price: StepPrice, step_units: int) -> None:
    """Trying every number of reserved steps finds nothing cheaper."""
    bought = commitment(need, step_units=step_units, price=price)
    costs = [cost(need, reserved, price) for reserved in range(max(need) + 1)]
    steps = bought.reserved_units // step_units

    assert min(costs) == pytest.approx(bought.monthly_cost)
    assert costs[steps] == pytest.approx(bought.monthly_cost)
    assert costs[0] == pytest.approx(bought.all_hourly_cost)
    assert costs[-1] == pytest.approx(bought.all_reserved_cost)


@given(
    st.lists(st.integers(0, 200), min_size=1, max_size=20).filter(any),
    st.floats(0.1, 50),
    st.floats(1, 3),
    st.integers(1, 8),
    PRICES,
)
def test_reserved_and_hourly_units_meet_every_minute(
    per_minute: list[int], step_rps: float, headroom: float, step_units: int, price: StepPrice
) -> None:
    """Bounds are multiples of the step and never below what a minute asks for, headroom included."""
    traffic = traffic_of(per_minute)
    sized = size_traffic(traffic, step_rps=step_rps, step_units=step_units, headroom=headroom, price=price)
    bought = sized.commitment
    assert bought is not None

    for need in sized.series:
        assert need.units / step_units * step_rps >= need.requests_per_second * headroom * (1 - 1e-7)
        assert need.units - step_units < ceil(need.requests_per_second * headroom / step_rps) * step_units
        assert bought.reserved_units + bought.hourly_max_units >= need.units
    assert bought.reserved_units % step_units == bought.hourly_max_units % step_units == 0
    assert bought.reserved_units + bought.hourly_max_units == sized.peak_units
