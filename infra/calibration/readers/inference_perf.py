"""Lifecycle metrics of inference-perf, a file for each stage: inference_perf/reportgen/base.py, 0.1 to 0.7.

They name neither model, version nor day. A summary of several stages has no load level: it is refused later.
"""

from typing import ClassVar

from pydantic import AliasChoices, Field

from infra.calibration.readers.base import Count, Found, NotNegative, Part, Positive, Report, Size
from infra.capacity.measurement import Latency, Lengths, Measurement, lengths


class _Seconds(Part):
    mean: NotNegative
    median: NotNegative | None = None
    p90: NotNegative | None = None
    p99: NotNegative | None = None

    def latency(self) -> Latency:
        """Return it as a latency."""
        return Latency(
            mean_ms=self.mean * 1000,
            p50_ms=_milliseconds(self.median),
            p90_ms=_milliseconds(self.p90),
            p99_ms=_milliseconds(self.p99),
        )


class _Tokens(Part):
    mean: NotNegative
    min: NotNegative | None = None
    max: NotNegative | None = None
    p10: NotNegative | None = None
    p90: NotNegative | None = None
    total: NotNegative | None = None
    cached: NotNegative | None = None

    def lengths(self) -> Lengths:
        """Return it as lengths."""
        middle = None if self.p10 is None or self.p90 is None else (self.p10, self.p90)
        ends = None if self.min is None or self.max is None else (self.min, self.max)
        return lengths(self.mean, p10_to_p90=middle, least_and_most=ends)

    @property
    def cache_hit(self) -> float | None:
        """Return the share of tokens found in the prefix cache."""
        return None if not self.total or self.cached is None else self.cached / self.total


class _LatencyOf(Part):
    time_to_first_token: _Seconds
    time_per_output_token: _Seconds


class _Throughput(Part):
    output_tokens_per_sec: NotNegative
    requests_per_sec: NotNegative


class _Successes(Part):
    count: Count
    latency: _LatencyOf
    throughput: _Throughput
    prompt_tokens: _Tokens = Field(validation_alias=AliasChoices("prompt_tokens", "prompt_len"))
    """Under its second name in versions before 0.5."""
    output_len: _Tokens


class _Failures(Part):
    count: Count


class _LoadSummary(Part):
    requested_rate: Positive | None = None
    concurrency: Size | None = None


class InferencePerf(Report):
    """One stage."""

    tool: ClassVar[str] = "inference-perf"
    keys: ClassVar[frozenset[str]] = frozenset({"load_summary", "successes", "failures"})

    load_summary: _LoadSummary
    successes: _Successes
    failures: _Failures
    benchmark_time_seconds: Positive | None = None

    def found(self) -> tuple[Found, ...]:
        """Return the stage."""
        load, done = self.load_summary, self.successes
        measurement = Measurement(
            tool=self.tool,
            input_tokens=done.prompt_tokens.lengths(),
            output_tokens=done.output_len.lengths(),
            concurrency=load.concurrency,
            requested_rps=None if load.concurrency else load.requested_rate,
            completed=done.count,
            failed=self.failures.count,
            duration_s=self.benchmark_time_seconds,
            ttft=done.latency.time_to_first_token.latency(),
            tpot=done.latency.time_per_output_token.latency(),
            requests_per_second=done.throughput.requests_per_sec,
            output_tps=done.throughput.output_tokens_per_sec,
            cache_hit=done.prompt_tokens.cache_hit,
        )
        return (("", measurement),)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
