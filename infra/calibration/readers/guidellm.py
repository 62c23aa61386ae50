"""Reports of GuideLLM, JSON or YAML: guidellm/benchmark/schemas/, 0.6 to 0.8 (report versions 1 and 2)."""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from infra.calibration.readers.base import Count, Found, NotNegative, Part, Positive, Report, Size
from infra.capacity.measurement import Deployment, Latency, Lengths, Measurement, lengths


class _Percentiles(Part):
    p50: NotNegative
    p90: NotNegative
    p99: NotNegative


class _Distribution(Part):
    mean: NotNegative
    std_dev: NotNegative
    percentiles: _Percentiles

    def latency(self) -> Latency:
        """Return it as a latency."""
        tails = self.percentiles
        return Latency(mean_ms=self.mean, p50_ms=tails.p50, p90_ms=tails.p90, p99_ms=tails.p99)

    def lengths(self) -> Lengths:
        """Return it as lengths."""
        return lengths(self.mean, deviation=self.std_dev)


class _ByStatus(Part):
    successful: _Distribution


class _Totals(Part):
    successful: Count
    errored: Count
    """Requests still running when the time was up are neither."""


class _Metrics(Part):
    request_totals: _Totals
    requests_per_second: _ByStatus
    prompt_token_count: _ByStatus
    output_token_count: _ByStatus
    time_to_first_token_ms: _ByStatus
    inter_token_latency_ms: _ByStatus
    """Their `time_per_output_token_ms` counts the first token in: it is not TPOT."""
    output_tokens_per_second: _ByStatus


class _Strategy(Part):
    kind: Literal["synchronous", "concurrent", "throughput", "constant", "poisson", "trace"] = Field(
        alias="type_"
    )
    streams: Size | None = None
    max_concurrency: Size | None = None
    rate: Positive | None = None


class _Phase(Part):
    percent: NotNegative | None = None
    value: NotNegative | None = None


class _Backend(Part):
    model: str | None = None


class _Config(Part):
    strategy: _Strategy
    warmup: _Phase = _Phase()
    backend: _Backend = _Backend()


class _Benchmark(Part):
    config: _Config
    metrics: _Metrics
    start_time: Annotated[float, Field(gt=0, lt=2**32)]
    """Seconds since 1970."""
    duration: Positive

    def measurement(self, version: str) -> Measurement:
        """Return one of the report's runs."""
        strategy, warmup, metrics = self.config.strategy, self.config.warmup, self.metrics
        return Measurement(
            tool=GuideLlm.tool,
            tool_version=version,
            deployment=Deployment(model=self.config.backend.model),
            measured_on=datetime.fromtimestamp(self.start_time, UTC).date(),
            input_tokens=metrics.prompt_token_count.successful.lengths(),
            output_tokens=metrics.output_token_count.successful.lengths(),
            concurrency=_concurrency(strategy),
            requested_rps=strategy.rate if strategy.kind in ("constant", "poisson") else None,
            completed=metrics.request_totals.successful,
            failed=metrics.request_totals.errored,
            warmed_up=bool(warmup.percent or warmup.value),
            duration_s=self.duration,
            ttft=metrics.time_to_first_token_ms.successful.latency(),
            tpot=metrics.inter_token_latency_ms.successful.latency(),
            requests_per_second=metrics.requests_per_second.successful.mean,
            output_tps=metrics.output_tokens_per_second.successful.mean,
        )


class _Metadata(Part):
    guidellm_version: str


class GuideLlm(Report):
    """A report of one run or several."""

    tool: ClassVar[str] = "guidellm"
    keys: ClassVar[frozenset[str]] = frozenset({"metadata", "benchmarks"})

    metadata: _Metadata
    benchmarks: tuple[_Benchmark, ...] = Field(min_length=1)

    def found(self) -> tuple[Found, ...]:
        """Return every run."""
        version = self.metadata.guidellm_version
        return tuple((f"benchmarks[{i}]", one.measurement(version)) for i, one in enumerate(self.benchmarks))


def _concurrency(strategy: _Strategy) -> int | None:
    match strategy.kind:
        case "synchronous":
            return 1
        case "concurrent":
            return strategy.streams
        case "throughput":
            return strategy.max_concurrency
        case _:
            return None
