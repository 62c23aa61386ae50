"""What a log of requests shows: their lengths, how many come each minute, and the load to size with."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import ceil

from infra.capacity.load import Load

MINUTE_S = 60

DAY_S = 86400

LONGEST_IDLE_S = 3 * DAY_S
"""A longer time without a request is taken for missing data, a shorter one for idleness.

Why three days: an office's weekend, Friday evening to Monday morning, is two and a half. Idle minutes make
reserved units look dearer than they are, missing ones say nothing; no log tells one from the other.
"""

SHOWN_SILENCE_S = 600
"""Shorter times without a request are not worth a line: units outlast them (autoscaling's cool-down)."""

_SHOWN_SILENCES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """The requests of a log as columns of one length, in order of arrival."""

    begin: datetime | None
    """What second 0 is in UTC, on a full minute; None where the log counts from a zero of its own."""
    arrivals_s: Sequence[float]
    input_tokens: Sequence[int]
    output_tokens: Sequence[int]
    cached_tokens: Sequence[int] | None = None
    """Of the tokens in, those found in the prefix cache; None where the log does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Token counts of many requests; a percentile is the smallest count that so many do not exceed."""

    mean: float
    p50: int
    p90: int
    p95: int
    p99: int
    max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """What arrived in one minute, counted from the log's second 0."""

    minute: int
    requests: int
    input_tokens: int
    output_tokens: int

    @property
    def requests_per_second(self) -> float:
        """Return the mean rate within the minute."""
        return self.requests / MINUTE_S

    @property
    def total_tps(self) -> float:
        """Return the tokens a second, input and output."""
        return (self.input_tokens + self.output_tokens) / MINUTE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A time without a request."""

    begin_s: float
    seconds: float

    @property
    def missing(self) -> bool:
        """Say whether it is taken for missing data; otherwise it is idleness."""
        return self.seconds > LONGEST_IDLE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a log shows, before anything is known of units."""

    begin: datetime | None
    requests: int
    span_s: float
    """First request to last, without what is missing; at least a minute."""
    requests_per_second: float
    """Mean over the span."""
    input_tokens: Spread
    output_tokens: Spread
    cache_hit: float | None
    """Share of all tokens in; None where the log does not say."""
    minutes: tuple[Minute, ...]
    """Every minute of the span in order, idle ones too; missing ones are left out."""
    peak: Minute
    """The first of the minutes with the most requests."""
    peak_tps: Minute
    """The first of the minutes with the most tokens."""
    silences: int
    """Times of ten minutes or more without a request."""
    longest_silences: tuple[Silence, ...]
    """At most five, longest first."""
    missing_s: float

    @property
    def load(self) -> Load:
        """Return the load to size with: means.

        Why means: how many requests a step serves is set by the work of all of them together, and work is
        nearly proportional to tokens, so n requests of mixed lengths take what n of the mean length take.
        A percentile would buy units that idle; it belongs to latency, where long requests are judged.
        """
        return Load(
            input_tokens=max(1, round(self.input_tokens.mean)),
            output_tokens=max(1, round(self.output_tokens.mean)),
            cache_hit=self.cache_hit or 0.0,
        )


def describe(requests: Requests) -> Traffic:
    """Return what a log of at least one request shows."""
    arrivals = requests.arrivals_s
    silences = sorted(_silences(arrivals), key=lambda silence: -silence.seconds)
    missing = [silence for silence in silences if silence.missing]
    minutes = tuple(_minutes(requests, missing))
    missing_s = sum(silence.seconds for silence in missing)
    span_s = max(MINUTE_S, arrivals[-1] - arrivals[0] - missing_s)
    tokens_in = sum(requests.input_tokens)
    cached = requests.cached_tokens
    return Traffic(
        begin=requests.begin,
        requests=len(arrivals),
        span_s=span_s,
        requests_per_second=len(arrivals) / span_s,
        input_tokens=_spread(requests.input_tokens),
        output_tokens=_spread(requests.output_tokens),
        cache_hit=None if cached is None else sum(cached) / max(1, tokens_in),
        minutes=minutes,
        peak=max(minutes, key=lambda minute: minute.requests),
        peak_tps=max(minutes, key=lambda minute: minute.total_tps),
        silences=len(silences),
        longest_silences=tuple(silences[:_SHOWN_SILENCES]),
        missing_s=missing_s,
    )


def observed_days(arrivals_s: Sequence[float]) -> float:
    """Return the days from the first arrival to the last, without what is missing."""
    missing_s = sum(silence.seconds for silence in _silences(arrivals_s) if silence.missing)
    return (arrivals_s[-1] - arrivals_s[0] - missing_s) / DAY_S


def _silences(arrivals_s: Sequence[float]) -> Iterator[Silence]:
    for before, after in pairwise(arrivals_s):
        if after - before >= SHOWN_SILENCE_S:
            yield Silence(begin_s=before, seconds=after - before)


def _minutes(requests: Requests, missing: Sequence[Silence]) -> Iterator[Minute]:
    """Count by minute; a slice between two bisections is a minute, since arrivals are in order."""
    arrivals = requests.arrivals_s
    cut_after = {int(silence.begin_s // MINUTE_S) for silence in missing}
    minute = int(arrivals[0] // MINUTE_S)
    begin = 0
    while begin < len(arrivals):
        end = bisect_left(arrivals, (minute + 1) * MINUTE_S, begin)
        yield Minute(
            minute=minute,
            requests=end - begin,
            input_tokens=sum(requests.input_tokens[begin:end]),
            output_tokens=sum(requests.output_tokens[begin:end]),
        )
        begin = end
        if minute in cut_after:
            minute = int(arrivals[begin] // MINUTE_S)
        else:
            minute += 1


def _spread(tokens: Sequence[int]) -> Spread:
    ordered = sorted(tokens)

    def percentile(percent: int) -> int:
        return ordered[ceil(len(ordered) * percent / 100) - 1]

    return Spread(
        mean=sum(ordered) / len(ordered),
        p50=percentile(50),
        p90=percentile(90),
        p95=percentile(95),
        p99=percentile(99),
        max=ordered[-1],
    )
