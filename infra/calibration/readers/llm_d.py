"""llm-d-benchmark's benchmark report 0.2, YAML or JSON: benchmark-report/.../schema_v0_2.py.

The one form that says what was measured on: its stack has the engine, the GPUs and their parallelism.
"""

import re
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from infra.calibration.readers.base import Count, Found, NotNegative, Part, Positive, Report, Size
from infra.capacity.measurement import Deployment, Latency, Lengths, Measurement, lengths

_IN_MILLISECONDS = {"ms": 1.0, "s": 1000.0, "ms/token": 1.0, "s/token": 1000.0}
_VERSION = re.compile(r"(?:^|[:@/-])v?([0-9]+\.[0-9]+(?:\.[0-9]+)?)")


class _Statistics(Part):
    mean: NotNegative
    stddev: NotNegative | None = None
    min: NotNegative | None = None
    max: NotNegative | None = None
    p10: NotNegative | None = None
    p90: NotNegative | None = None

    def lengths(self) -> Lengths:
        """Return it as lengths."""
        middle = None if self.p10 is None or self.p90 is None else (self.p10, self.p90)
        ends = None if self.min is None or self.max is None else (self.min, self.max)
        return lengths(self.mean, deviation=self.stddev, p10_to_p90=middle, least_and_most=ends)


class _Time(_Statistics):
    units: Literal["ms", "s", "ms/token", "s/token"]
    p50: NotNegative | None = None
    p99: NotNegative | None = None

    def latency(self) -> Latency:
        """Return it as a latency."""
        factor = _IN_MILLISECONDS[self.units]
        p50, p90, p99 = (None if tail is None else tail * factor for tail in (self.p50, self.p90, self.p99))
        return Latency(mean_ms=self.mean * factor, p50_ms=p50, p90_ms=p90, p99_ms=p99)


class _Requests(Part):
    total: Count
    failures: Count = 0
    incomplete: Count = 0
    input_length: _Statistics
    output_length: _Statistics


class _Latencies(Part):
    time_to_first_token: _Time
    time_per_output_token: _Time | None = None
    inter_token_latency: _Time | None = None


class _Throughputs(Part):
    request_rate: _Statistics
    output_token_rate: _Statistics


class _Aggregate(Part):
    requests: _Requests
    latency: _Latencies
    throughput: _Throughputs


class _RequestPerformance(Part):
    aggregate: _Aggregate


class _Results(Part):
    request_performance: _RequestPerformance


class _Parallelism(Part):
    tp: Size | None = None
    pp: Size | None = None
    dp: Size | None = None


class _Accelerator(Part):
    model: str
    parallelism: _Parallelism = _Parallelism()


class _Model(Part):
    name: str


class _Component(Part):
    kind: str
    tool: str
    tool_version: str
    role: str | None = None
    replicas: Size | None = None
    model: _Model | None = None
    accelerator: _Accelerator | None = None


class _StackEntry(Part):
    standardized: _Component


class _LoadStandardized(Part):
    tool: str
    tool_version: str
    rate_qps: Positive | None = None
    concurrency: Annotated[float, Field(ge=1, allow_inf_nan=True)] | None = None


class _Load(Part):
    standardized: _LoadStandardized


class _Scenario(Part):
    stack: tuple[_StackEntry, ...] = ()
    load: _Load


class _RunTime(Part):
    start: datetime | None = None
    end: datetime | None = None
    duration: str | None = None


class _Run(Part):
    time: _RunTime = _RunTime()


def _is_0_2(version: str) -> str:
    if not re.fullmatch(r"0\.2(\.[0-9]+)?", version):
        raise PydanticCustomError("version", "must be 0.2 or 0.2.x, got '{got}'", {"got": version[:20]})
    return version


class LlmD(Report):
    """One run at one load."""

    tool: ClassVar[str] = "llm-d-benchmark"
    keys: ClassVar[frozenset[str]] = frozenset({"version", "scenario"})

    version: Annotated[str, AfterValidator(_is_0_2)]
    run: _Run = _Run()
    scenario: _Scenario
    results: _Results

    def found(self) -> tuple[Found, ...]:
        """Return the run."""
        load, time = self.scenario.load.standardized, self.run.time
        aggregate = self.results.request_performance.aggregate
        requests, latency = aggregate.requests, aggregate.latency
        held = load.concurrency if load.concurrency is not None and load.concurrency < 1e9 else None
        tpot = latency.time_per_output_token or latency.inter_token_latency
        day = time.start or time.end
        measurement = Measurement(
            tool=f"{self.tool}/{load.tool}",
            tool_version=load.tool_version,
            deployment=self._deployment(),
            measured_on=day.date() if day else None,
            input_tokens=requests.input_length.lengths(),
            output_tokens=requests.output_length.lengths(),
            concurrency=round(held) if held and not load.rate_qps else None,
            requested_rps=load.rate_qps,
            completed=max(0, requests.total - requests.failures - requests.incomplete),
            failed=requests.failures,
            ttft=latency.time_to_first_token.latency(),
            tpot=tpot.latency() if tpot else Latency(mean_ms=0.0),
            requests_per_second=aggregate.throughput.request_rate.mean,
            output_tps=aggregate.throughput.output_token_rate.mean,
        )
        return (("", measurement),)

    def _deployment(self) -> Deployment:
        """Return what the engine that writes answers runs on."""
        engines = [entry.standardized for entry in self.scenario.stack if entry.standardized.accelerator]
        writing = [engine for engine in engines if engine.role != "prefill"]
        if not writing:
            return Deployment()
        engine = writing[0]
        parallelism = engine.accelerator.parallelism if engine.accelerator else _Parallelism()
        version = _VERSION.search(engine.tool_version) if engine.tool == "vllm" else None
        return Deployment(
            model=engine.model.name if engine.model else None,
            # Why None for others: llm-d's own image has a vLLM inside, whose version is not said.
            engine=engine.tool if engine.tool != "llm-d" else None,
            engine_version=version[1] if version else None,
            gpu=engine.accelerator.model if engine.accelerator else None,
            tensor_parallel=parallelism.tp,
            pipeline_parallel=parallelism.pp,
            data_parallel=parallelism.dp,
            instances=sum(one.replicas or 1 for one in writing),
        )
