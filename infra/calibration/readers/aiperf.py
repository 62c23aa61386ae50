"""AIPerf's profile_export_aiperf.json: aiperf/common/models/export_models.py, 0.3 to 0.13."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from infra.calibration.readers.base import Count, Found, NotNegative, Part, Positive, Report, Size
from infra.capacity.measurement import Deployment, Latency, Lengths, Measurement, lengths


class _Number(Part):
    avg: NotNegative


class _Seconds(Part):
    unit: Literal["sec"]
    avg: NotNegative


class _Milliseconds(Part):
    unit: Literal["ms"]
    avg: NotNegative
    p50: NotNegative | None = None
    p90: NotNegative | None = None
    p99: NotNegative | None = None

    def latency(self) -> Latency:
        """Return it as a latency."""
        return Latency(mean_ms=self.avg, p50_ms=self.p50, p90_ms=self.p90, p99_ms=self.p99)


class _Tokens(Part):
    avg: NotNegative
    std: NotNegative | None = None
    min: NotNegative | None = None
    max: NotNegative | None = None

    def lengths(self) -> Lengths:
        """Return it as lengths."""
        ends = None if self.min is None or self.max is None else (self.min, self.max)
        return lengths(self.avg, deviation=self.std, least_and_most=ends)


class _Phase(Part):
    """What a run did after another; since 0.6."""

    name: str
    kind: str | None = None
    concurrency: Size | None = None
    rate: Positive | None = None

    @property
    def warms_up(self) -> bool:
        """Say whether it is not measured."""
        return (self.kind or self.name) == "warmup"


class _LoadGenerator(Part):
    """The one load; before 0.6."""

    concurrency: Size | None = None
    request_rate: Positive | None = None
    warmup_request_count: int | None = None


class _Model(Part):
    name: str


class _Models(Part):
    items: tuple[_Model, ...] = ()


class _Endpoint(Part):
    model_names: tuple[str, ...] = ()


class _Input(Part):
    models: _Models = _Models()
    endpoint: _Endpoint = _Endpoint()
    phases: tuple[_Phase, ...] = ()
    loadgen: _LoadGenerator = _LoadGenerator()

    @property
    def model(self) -> str | None:
        """Return the first model's name."""
        names = (*(model.name for model in self.models.items), *self.endpoint.model_names)
        return names[0] if names else None


class _Errors(Part):
    count: Count


class _Gpu(Part):
    gpu_name: str


class _Host(Part):
    gpus: dict[str, _Gpu] = Field(default={})


class _Telemetry(Part):
    endpoints: dict[str, _Host] = Field(default={})

    @property
    def gpu(self) -> str | None:
        """Return the name of the GPUs, where they are of one kind."""
        names = {gpu.gpu_name for host in self.endpoints.values() for gpu in host.gpus.values()}
        return names.pop() if len(names) == 1 else None


class AiPerf(Report):
    """One run."""

    tool: ClassVar[str] = "aiperf"
    keys: ClassVar[frozenset[str]] = frozenset({"input_config"})

    aiperf_version: str | None = None
    input_config: _Input
    request_count: _Number
    error_request_count: _Number | None = None
    error_summary: tuple[_Errors, ...] = ()
    input_sequence_length: _Tokens
    output_sequence_length: _Tokens
    time_to_first_token: _Milliseconds
    inter_token_latency: _Milliseconds
    """Of a request: its time after the first token over the tokens after the first."""
    request_throughput: _Number
    output_token_throughput: _Number
    benchmark_duration: _Seconds | None = None
    start_time: datetime | None = None
    was_cancelled: bool = False
    is_complete: bool = True
    incomplete_reason: str | None = None
    warmup_metrics: dict[str, object] | None = None
    telemetry_data: _Telemetry = _Telemetry()

    def found(self) -> tuple[Found, ...]:
        """Return the run."""
        config = self.input_config
        measured = [phase for phase in config.phases if not phase.warms_up]
        generator = config.loadgen
        rate = measured[0].rate if measured else generator.request_rate
        held = measured[0].concurrency if measured else generator.concurrency
        failed = self.error_request_count.avg if self.error_request_count else 0
        measurement = Measurement(
            tool=self.tool,
            tool_version=self.aiperf_version,
            deployment=Deployment(model=config.model, gpu=self.telemetry_data.gpu),
            measured_on=self.start_time.date() if self.start_time else None,
            input_tokens=self.input_sequence_length.lengths(),
            output_tokens=self.output_sequence_length.lengths(),
            concurrency=None if rate else held,
            requested_rps=rate,
            completed=round(self.request_count.avg),
            failed=round(max(failed, sum(error.count for error in self.error_summary))),
            cut_short=self._cut_short(len(measured)),
            warmed_up=bool(self.warmup_metrics)
            or any(phase.warms_up for phase in config.phases)
            or bool(generator.warmup_request_count),
            duration_s=self.benchmark_duration.avg if self.benchmark_duration else None,
            ttft=self.time_to_first_token.latency(),
            tpot=self.inter_token_latency.latency(),
            requests_per_second=self.request_throughput.avg,
            output_tps=self.output_token_throughput.avg,
        )
        return (("", measurement),)

    def _cut_short(self, measured_phases: int) -> str | None:
        if self.was_cancelled:
            return "it was cancelled"
        if not self.is_complete:
            return self.incomplete_reason or "it did not finish"
        return f"it measures {measured_phases} phases together" if measured_phases > 1 else None
