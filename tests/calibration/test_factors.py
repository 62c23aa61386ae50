"""Factors: exact where something was measured, careful elsewhere."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured import predict

from infra.capacity.calibration import TTFT_BAND, Point, calibration
from infra.capacity.load import REFERENCE_LOAD, Load

LEVELS = st.integers(1, 512)
FACTORS = st.floats(0.3, 3.0)


def point(factor: float, concurrency: int, *, load: Load = REFERENCE_LOAD) -> Point:
    """Return what is measured where both latencies are a factor of the prediction."""
    ttft_ms, tpot_ms = predict(load, concurrency)
    return Point(load=load, concurrency=concurrency, ttft_ms=ttft_ms * factor, tpot_ms=tpot_ms * factor)


CURVES = st.dictionaries(LEVELS, FACTORS, min_size=1, max_size=6)
"""Factors of TPOT by concurrency."""


@given(CURVES)
def test_prediction_is_the_measurement_where_it_was_measured(curve: dict[int, float]) -> None:
    """At every measured point both calibrated latencies are what was measured."""
    made = calibration([point(factor, level) for level, factor in curve.items()], predict)
    for level, factor in curve.items():
        assert isclose(factor, made.tpot_factor(Load(), level), rel_tol=1e-9)
        assert isclose(factor, made.ttft_factor(Load(), level), rel_tol=1e-9)
        assert made.label(Load(), level) == "measured"


@given(CURVES, LEVELS, st.integers(10, 30_000), st.integers(2, 3000))
def test_factors_stay_within_what_was_measured(
    curve: dict[int, float], level: int, input_tokens: int, output_tokens: int
) -> None:
    """Nowhere is a factor beyond the measured ones; far from all of them it is 1."""
    made = calibration([point(factor, measured) for measured, factor in curve.items()], predict)
    load = Load(input_tokens=input_tokens, output_tokens=output_tokens)
    low, high = min(curve.values()), max(curve.values())

    tpot_factor = made.tpot_factor(load, level)
    assert low * 0.999999 <= tpot_factor <= high * 1.000001 or (tpot_factor, made.label(load, level)) == (
        1,
        None,
    )
    assert min(1, low) * 0.999999 <= made.ttft_factor(load, level) <= max(1, high) * 1.000001


@given(FACTORS, LEVELS, LEVELS)
def test_one_point_gives_one_tpot_factor(factor: float, measured: int, asked: int) -> None:
    """One run corrects TPOT at every load level by the same factor."""
    made = calibration([point(factor, measured)], predict)

    assert isclose(factor, made.tpot_factor(Load(), asked), rel_tol=1e-9)


@given(FACTORS, LEVELS, LEVELS)
def test_ttft_is_left_alone_away_from_its_level(factor: float, measured: int, asked: int) -> None:
    """A TTFT factor is gone at TTFT_BAND times its load level, and at that part of it."""
    made = calibration([point(factor, measured)], predict)
    if max(measured, asked) >= TTFT_BAND * min(measured, asked):
        assert made.ttft_factor(Load(), asked) == 1
    else:
        assert abs(made.ttft_factor(Load(), asked) - 1) <= abs(factor - 1) * 1.000001


def test_tpot_is_interpolated_over_the_logarithm_of_concurrency() -> None:
    """Between 8 and 32 requests the factor of 16 is the geometric mean; beyond them it is held."""
    made = calibration([point(0.8, 8), point(1.25, 32)], predict)
    levels = {level: round(made.tpot_factor(Load(), level), 6) for level in (1, 8, 16, 32, 500)}

    assert {1: 0.8, 8: 0.8, 16: 1.0, 32: 1.25, 500: 1.25} == levels


def test_ttft_fades_and_near_levels_join() -> None:
    """Levels a third apart are interpolated; levels far apart each fade to 1 on their own."""
    near = calibration([point(2.0, 12), point(2.0, 16)], predict)
    far = calibration([point(2.0, 8), point(2.0, 64)], predict)

    assert near.ttft_factor(Load(), 14) == pytest.approx(2.0)
    assert far.ttft_factor(Load(), 10) == pytest.approx(1.366, abs=1e-3)
    assert far.ttft_factor(Load(), 20) == 1


def test_a_rate_calibrates_tpot_only() -> None:
    """Requests that came at a rate waited as they came: their TTFT corrects none, and nothing is measured."""
    load, open_loop = Load(), point(1.5, 16)
    made = calibration([Point(load=load, concurrency=16, ttft_ms=None, tpot_ms=open_loop.tpot_ms)], predict)

    assert made.ttft_factor(load, 16) == 1
    assert made.tpot_factor(load, 16) == pytest.approx(1.5)
    assert made.label(load, 16) == "calibrated"


def test_another_shape_takes_the_nearer_factor_more() -> None:
    """Between a short and a long shape the factor lies between theirs, nearer to the nearer one's."""
    short, long = Load(input_tokens=1000, output_tokens=1000), Load(input_tokens=8000, output_tokens=1000)
    made = calibration([point(0.8, 16, load=short), point(1.2, 16, load=long)], predict)
    between = made.tpot_factor(Load(input_tokens=2000, output_tokens=1000), 16)

    assert made.tpot_factor(short, 16) == pytest.approx(0.8)
    assert made.tpot_factor(long, 16) == pytest.approx(1.2)
    assert 0.8 < between < 0.98  # the geometric mean, where both would count alike
    assert made.ttft_factor(Load(input_tokens=2000, output_tokens=1000), 16) == 1


def test_measured_is_the_same_shape_and_level() -> None:
    """Ten percent of length is the same shape; eleven, another level or adapters are not."""
    made = calibration([point(1.1, 16)], predict)

    assert made.label(Load(input_tokens=3300), 16) == "measured"
    assert made.label(Load(input_tokens=3340), 16) == "calibrated"
    assert made.label(Load(cache_hit=0.5), 16) == "calibrated"
    assert made.label(Load(), 17) == "calibrated"
    assert made.label(Load(adapters=1), 16) == "calibrated"


def test_repeats_give_their_geometric_mean() -> None:
    """Two runs at one load level correct by the mean of their factors."""
    made = calibration([point(0.8, 16), point(1.25, 16)], predict)

    assert made.tpot_factor(Load(), 16) == pytest.approx(1.0)


def test_nothing_measured_changes_nothing() -> None:
    """Without points factors are 1, and there is no label."""
    made = calibration([], predict)

    assert (made.tpot_factor(Load(), 1), made.ttft_factor(Load(), 1), made.label(Load(), 1)) == (1, 1, None)


def test_adapters_have_the_factor_that_was_measured() -> None:
    """A run with adapters says by how much they slow steps, beside what the same load takes without."""
    plain = point(1.1, 16)
    ttft_ms, tpot_ms = predict(REFERENCE_LOAD, 16)
    slowed = Point(load=Load(adapters=2), concurrency=16, ttft_ms=ttft_ms, tpot_ms=tpot_ms * 1.1 * 1.3)

    assert calibration([plain, slowed], predict).lora_factor == pytest.approx(1.3)
    assert calibration([plain, slowed], predict).tpot_factor(Load(), 16) == pytest.approx(1.1)
    assert calibration([plain], predict).lora_factor is None
