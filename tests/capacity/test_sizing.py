"""How much of an offer a load takes, what matters most of it, and which alternative is nearest."""

from dataclasses import replace

import pytest
from engines import single
from hypothesis import given
from hypothesis import strategies as st

from infra.capacity.alternatives import Demand, alternative, nearest
from infra.capacity.load import Load
from infra.capacity.sensitivity import sensitivities
from infra.capacity.sizing import TIERS, Known, Offer, Promise, size

BALANCED = TIERS["balanced"]
OFFER = Offer(
    group=single("llama-3.1-8b", "h100-8"),
    groups_per_step=2,
    units_per_step=2,
    gpus_per_step=2,
    machines_per_step={"h100-8": 0.25},
    hourly_per_step=10.0,
    monthly_per_step=4000.0,
    tiers=TIERS,
    known={
        "balanced": Known(
            concurrency=20, ttft_ms=300, tpot_ms=20, total_tps=9900, label="measured", source="bench.json"
        )
    },
)
DEMAND = Demand(load=Load(), requests_per_second=40, headroom=1.2)

rates = st.floats(0.01, 2000)
headrooms = st.floats(1, 3)


@given(rates, st.floats(1, 3), headrooms)
def test_more_requests_take_no_fewer_units(rate: float, factor: float, headroom: float) -> None:
    """Units are whole steps, enough for the load, and never fewer for more of it."""
    here = size(OFFER, Load(), BALANCED, rate, headroom)
    more = size(OFFER, Load(), BALANCED, rate * factor, headroom)

    assert here is not None
    assert more is not None
    assert here.units == here.steps * OFFER.units_per_step
    assert here.steps * here.step_requests_per_second >= rate * headroom * 0.999999
    assert (here.steps - 1) * here.step_requests_per_second < rate * headroom
    assert here.steps <= more.steps


def test_machines_are_counted_by_type() -> None:
    """A step on parts of three types takes one of each."""
    apart = replace(OFFER, machines_per_step={"a": 0.25, "b": 0.5, "c": 0.125})
    sized = size(apart, Load(), BALANCED, 0.1, 1)

    assert sized is not None
    assert (sized.steps, sized.machines) == (1, 3)


@pytest.mark.parametrize(
    ("load", "known"),
    [
        (Load(), True),
        (Load(input_tokens=3200, output_tokens=280), True),
        (Load(input_tokens=3400), False),
        (Load(output_tokens=200), False),
        (Load(cache_hit=0.4), False),
        (Load(adapters=1), False),
    ],
)
def test_what_was_measured_is_the_answer_near_its_load(load: Load, known: bool) -> None:
    """Within a tenth of every length a measured row stands; beyond it, and with adapters, the estimate."""
    one = alternative("any", OFFER, "balanced", BALANCED, replace(DEMAND, load=load))
    assert one.sized is not None
    held = one.sized.held

    assert (held.provenance.label == "measured") == known
    if known:
        assert (held.concurrency, held.ttft_ms, held.total_tps) == (20, 300, 9900)
        assert held.requests_per_second * load.total_tokens == pytest.approx(9900)


def test_only_the_tier_that_was_measured_is_known() -> None:
    """Other tiers, and latencies without a name, are estimated."""
    for tier in ("fast", None):
        one = alternative("any", OFFER, tier, BALANCED, DEMAND)
        assert one.sized is not None
        assert one.sized.held.provenance.label == "estimated"


def test_sensitivities_are_what_sizing_anew_says() -> None:
    """Less or more of an assumption is the size of that load, and TPS the size at another rate."""
    offer = replace(OFFER, known={})
    sized = size(offer, DEMAND.load, BALANCED, DEMAND.requests_per_second, DEMAND.headroom)
    assert sized is not None
    found = {one.assumption: one for one in sensitivities(offer, BALANCED, DEMAND, sized)}
    longer = size(offer, Load(input_tokens=3600), BALANCED, DEMAND.requests_per_second, DEMAND.headroom)
    rarer = size(offer, Load(), BALANCED, DEMAND.requests_per_second * 0.8, DEMAND.headroom)
    assert longer is not None
    assert rarer is not None

    assert (found["input tokens"].more.units, found["input tokens"].more.hourly) == (
        longer.units,
        longer.hourly,
    )
    assert found["requests per second"].less.units == rarer.units
    tps = found["TPS, by its expected error"]
    assert tps.less.demand / tps.more.demand == pytest.approx(
        (1 + sized.held.provenance.tps_error) / (1 - sized.held.provenance.tps_error)
    )
    assert [one.spread for one in found.values()] == sorted(
        (one.spread for one in found.values()), reverse=True
    )


def test_a_promise_that_an_assumption_breaks_is_said_to_be() -> None:
    """Where longer prompts no longer keep the tier, there are no units, and it matters most."""
    alone = alternative("any", OFFER, None, Promise(ttft_ms=1, tpot_ms=1000), DEMAND).too_slow
    assert alone is not None
    tight = Promise(ttft_ms=alone.ttft_ms * 1.05, tpot_ms=1000)
    sized = size(OFFER, DEMAND.load, tight, DEMAND.requests_per_second, DEMAND.headroom)
    assert sized is not None
    first = sensitivities(OFFER, tight, DEMAND, sized)[0]

    assert first.assumption == "input tokens"
    assert (first.more.units, first.more.hourly) == (None, None)


def test_what_limits_is_what_is_missed_by_more() -> None:
    """A slow first token is compute, a slow next one bandwidth."""
    compute = alternative("any", OFFER, None, Promise(ttft_ms=1, tpot_ms=1), DEMAND).too_slow
    bandwidth = alternative("any", OFFER, None, Promise(ttft_ms=1000, tpot_ms=1), DEMAND).too_slow
    assert compute is not None
    assert bandwidth is not None

    assert (compute.limit, bandwidth.limit) == ("compute", "bandwidth")
    assert str(compute).startswith("compute: TTFT of a single prompt is ")


def test_the_nearest_is_the_cheapest_that_can_or_the_least_late() -> None:
    """A price goes before none; where nothing can, the smallest miss is the nearest."""
    cheap = alternative("cheap", OFFER, "fast", BALANCED, DEMAND)
    dear = alternative("dear", replace(OFFER, hourly_per_step=99.0), "fast", BALANCED, DEMAND)
    free = alternative("unpriced", replace(OFFER, hourly_per_step=None), "fast", BALANCED, DEMAND)
    late = alternative("late", OFFER, None, Promise(ttft_ms=1, tpot_ms=1), DEMAND)
    later = alternative("later", OFFER, None, Promise(ttft_ms=0.1, tpot_ms=1), DEMAND)

    assert nearest([late, free, dear, cheap]) is cheap
    assert nearest([late, free]) is free
    assert nearest([later, late]) is late
    assert nearest([]) is None
