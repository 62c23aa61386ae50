"""Result files of `vllm bench serve --save-result`: vllm/benchmarks/serve.py, vLLM 0.11 to 0.33.

They say nothing of the server. What `--metadata KEY=VALUE` adds stands beside the results: `warmups`,
`engine_version`, `gpu`, `tensor_parallel`, `pipeline_parallel`, `data_parallel` and `precision` are read.
"""

from datetime import date
from typing import ClassVar, Literal

from infra.calibration.readers.base import Count, Found, NotNegative, Positive, Report, Size
from infra.capacity.measurement import Deployment, Latency, Lengths, Measurement, lengths, lengths_of


class VllmBench(Report):
    """One run."""

    tool: ClassVar[str] = "vllm-bench-serve"
    keys: ClassVar[frozenset[str]] = frozenset({"model_id", "num_prompts", "request_throughput"})

    date: str
    """Such as 20261120-143000, in the time of the machine that ran the tool."""
    model_id: str
    num_prompts: Size
    request_rate: Positive | Literal["inf"]
    max_concurrency: Size | None = None
    ramp_up_strategy: str | None = None
    duration: Positive
    completed: Count
    failed: Count | None = None
    total_input_tokens: Count
    total_output_tokens: Count
    request_throughput: NotNegative
    output_throughput: NotNegative
    mean_ttft_ms: NotNegative
    median_ttft_ms: NotNegative | None = None
    p90_ttft_ms: NotNegative | None = None
    p99_ttft_ms: NotNegative | None = None
    mean_tpot_ms: NotNegative
    median_tpot_ms: NotNegative | None = None
    p90_tpot_ms: NotNegative | None = None
    p99_tpot_ms: NotNegative | None = None
    input_lens: tuple[Count, ...] = ()
    """Of every request; only with --save-detailed."""
    output_lens: tuple[Count, ...] = ()
    warmups: Count | None = None
    engine_version: str | None = None
    gpu: str | None = None
    tensor_parallel: Size | None = None
    pipeline_parallel: Size | None = None
    data_parallel: Size | None = None
    precision: str | None = None

    def found(self) -> tuple[Found, ...]:
        """Return the run."""
        rate = None if self.request_rate == "inf" else self.request_rate
        failed = max(0, self.num_prompts - self.completed) if self.failed is None else self.failed
        measurement = Measurement(
            tool=self.tool,
            deployment=self._deployment(),
            measured_on=_day(self.date),
            input_tokens=self._lengths(self.input_lens, self.total_input_tokens),
            output_tokens=self._lengths(self.output_lens, self.total_output_tokens),
            concurrency=self.max_concurrency if rate is None else None,
            requested_rps=rate,
            completed=self.completed,
            failed=failed,
            cut_short=f"the rate rose while it ran ({self.ramp_up_strategy})"
            if self.ramp_up_strategy
            else None,
            warmed_up=None if self.warmups is None else self.warmups > 0,
            duration_s=self.duration,
            ttft=Latency(
                mean_ms=self.mean_ttft_ms,
                p50_ms=self.median_ttft_ms,
                p90_ms=self.p90_ttft_ms,
                p99_ms=self.p99_ttft_ms,
            ),
            tpot=Latency(
                mean_ms=self.mean_tpot_ms,
                p50_ms=self.median_tpot_ms,
                p90_ms=self.p90_tpot_ms,
                p99_ms=self.p99_tpot_ms,
            ),
            requests_per_second=self.request_throughput,
            output_tps=self.output_throughput,
        )
        return (("", measurement),)

    def _deployment(self) -> Deployment:
        return Deployment(
            model=self.model_id,
            engine_version=self.engine_version,
            gpu=self.gpu,
            tensor_parallel=self.tensor_parallel,
            pipeline_parallel=self.pipeline_parallel,
            data_parallel=self.data_parallel,
            precision=self.precision,
        )

    def _lengths(self, each: tuple[int, ...], total: int) -> Lengths:
        return lengths_of(each) if each else lengths(total / max(1, self.completed))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:8])
    except ValueError:
        return None
