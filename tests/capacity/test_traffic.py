"""What a log of requests shows."""

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from infra.capacity.load import Load
from infra.capacity.traffic import LONGEST_IDLE_S, Requests, describe

HOUR_S = 3600.0


def log(
    arrivals_s: list[float], tokens: list[int] | None = None, cached: list[int] | None = None
) -> Requests:
    """Return a log; without token counts, of requests of 100 tokens in and 10 out."""
    tokens_in = tokens or [100] * len(arrivals_s)
    return Requests(
        begin=datetime(2026, 11, 20, tzinfo=UTC),
        arrivals_s=arrivals_s,
        input_tokens=tokens_in,
        output_tokens=[count // 10 for count in tokens_in],
        cached_tokens=cached,
    )


def test_percentiles_are_counts_of_the_log() -> None:
    """A percentile is the smallest count that so many requests do not exceed, never one in between."""
    traffic = describe(log([float(second) for second in range(100)], [10 * n for n in range(1, 101)]))
    spread = traffic.input_tokens

    assert (500, 900, 950, 990, 1000) == (spread.p50, spread.p90, spread.p95, spread.p99, spread.max)
    assert 505 == spread.mean


def test_the_load_is_the_mean() -> None:
    """Units are sized for mean lengths and the share of all tokens that was cached."""
    traffic = describe(log([0, 1, 2], [100, 200, 900], cached=[0, 200, 400]))

    assert Load(input_tokens=400, output_tokens=40, cache_hit=0.5) == traffic.load


def test_a_log_that_does_not_say_what_was_cached_has_no_cache_hit() -> None:
    """Unknown is not zero, though zero is what is sized with."""
    traffic = describe(log([0, 1]))

    assert traffic.cache_hit is None
    assert 0 == traffic.load.cache_hit


def test_the_peak_is_the_busiest_minute() -> None:
    """Requests and tokens have peaks of their own."""
    traffic = describe(log([0, 61, 62, 63, 125], [100, 10, 10, 10, 100_000]))

    assert 1 == traffic.peak.minute
    assert 3 / 60 == traffic.peak.requests_per_second
    assert 2 == traffic.peak_tps.minute
    assert 110_000 / 60 == traffic.peak_tps.total_tps


def test_a_minute_is_the_shortest_span() -> None:
    """One request is a sixtieth of a request a second, not infinitely many."""
    assert 1 / 60 == describe(log([7.0])).requests_per_second


def test_a_weekend_without_requests_is_idleness() -> None:
    """Up to three days count as minutes without demand."""
    traffic = describe(log([0.0, LONGEST_IDLE_S]))

    assert LONGEST_IDLE_S / 60 + 1 == len(traffic.minutes)
    assert 0 == traffic.missing_s
    assert not traffic.longest_silences[0].missing


def test_more_than_three_days_without_requests_are_missing_data() -> None:
    """They are no minutes, and no part of the span."""
    gap_s = LONGEST_IDLE_S + 60.0
    traffic = describe(log([0.0, 59.0, 59 + gap_s, 120 + gap_s]))

    assert [0, 4321, 4322, 4323] == [minute.minute for minute in traffic.minutes]
    assert gap_s == traffic.missing_s
    assert 120 == traffic.span_s
    assert traffic.longest_silences[0].missing


def test_short_silences_are_not_worth_a_line() -> None:
    """From ten minutes on, silences are counted, and the longest five shown."""
    arrivals = [0.0, 599.0, *(599 + 1000.0 * n for n in range(1, 8)), 599 + 7000 + 2 * HOUR_S]
    traffic = describe(log(arrivals))

    assert 8 == traffic.silences
    assert [2 * HOUR_S, 1000, 1000, 1000, 1000] == [each.seconds for each in traffic.longest_silences]


ARRIVALS = st.lists(st.floats(0, 2.5 * LONGEST_IDLE_S), min_size=1, max_size=6).map(sorted)


@given(ARRIVALS)
def test_every_request_is_in_one_minute(arrivals: list[float]) -> None:
    """Nothing is lost or counted twice, whatever the gaps; idle minutes are there, missing ones are not."""
    traffic = describe(log(arrivals))
    counted = {minute.minute: minute.requests for minute in traffic.minutes if minute.requests}
    expected = Counter(int(arrival // 60) for arrival in arrivals)

    assert dict(expected) == counted
    assert sorted({minute.minute for minute in traffic.minutes}) == [m.minute for m in traffic.minutes]
    assert 100 * len(arrivals) == sum(minute.input_tokens for minute in traffic.minutes)
    assert len(traffic.minutes) <= traffic.span_s / 60 + 2 * len(arrivals)
