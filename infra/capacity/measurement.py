"""What a benchmark saw of a model on GPUs, whichever tool ran it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt

from infra.capacity.load import Load

# Of a uniform distribution, as benchmark tools draw lengths: its width over its standard deviation.
_UNIFORM_WIDTH = sqrt(12)
# Of a normal one: from its tenth to its ninetieth percentile.
_NORMAL_P10_TO_P90 = 2.563


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Lengths of prompts or answers, in tokens."""

    mean: float
    spread: float | None
    """Standard deviation over mean; None where the file does not say how lengths vary."""


def lengths(
    mean: float,
    *,
    deviation: float | None = None,
    p10_to_p90: tuple[float, float] | None = None,
    least_and_most: tuple[float, float] | None = None,
) -> Lengths:
    """Return lengths with their spread from the best that is known of it."""
    if deviation is None and p10_to_p90 is not None:
        deviation = (p10_to_p90[1] - p10_to_p90[0]) / _NORMAL_P10_TO_P90
    if deviation is None and least_and_most is not None:
        deviation = (least_and_most[1] - least_and_most[0]) / _UNIFORM_WIDTH
    return Lengths(mean=mean, spread=None if deviation is None or mean <= 0 else deviation / mean)


def lengths_of(values: Sequence[float]) -> Lengths:
    """Return lengths from all of them; there must be one."""
    mean = sum(values) / len(values)
    return lengths(mean, deviation=sqrt(sum((value - mean) ** 2 for value in values) / len(values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """A latency over the requests of a run, in milliseconds."""

    mean_ms: float
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a result file says of the system that was measured; None where it does not."""

    model: str | None = None
    """As the tool called it: a Hugging Face id, a path or a served name."""
    engine: str | None = None
    engine_version: str | None = None
    gpu: str | None = None
    tensor_parallel: int | None = None
    pipeline_parallel: int | None = None
    data_parallel: int | None = None
    instances: int | None = None
    """Engines of the role that writes answers."""
    precision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a benchmark did: as much as decides about the latencies that it saw.

    Why more than load and concurrency: all requests begin at once, and equal ones stay in step.
    """

    load: Load
    """Its mean request."""
    concurrency: int
    held: bool
    """Whether that many were always in flight, or came to be by a rate."""
    requests: int
    spread: float
    """Standard deviation over mean of the lengths of answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One run at one load, normalised: means over its completed requests, of all engines together."""

    tool: str
    tool_version: str | None = None
    deployment: Deployment = Deployment()
    measured_on: date | None = None
    input_tokens: Lengths
    output_tokens: Lengths
    concurrency: int | None = None
    """Requests that were always in flight (closed loop); None where they came at a rate."""
    requested_rps: float | None = None
    """Requests per second that were sent (open loop); None where their number in flight was held."""
    completed: int
    failed: int
    cut_short: str | None = None
    """Why the run is no steady state; None where nothing is known against it."""
    warmed_up: bool | None = None
    """Whether unmeasured requests went before; None where the file does not say."""
    duration_s: float | None = None
    ttft: Latency
    tpot: Latency
    requests_per_second: float
    output_tps: float
    cache_hit: float | None = None
    """Share of the input found in the prefix cache."""

    @property
    def load(self) -> Load:
        """Return what a request of this run was."""
        return Load(
            input_tokens=max(1, round(self.input_tokens.mean)),
            output_tokens=max(1, round(self.output_tokens.mean)),
            cache_hit=self.cache_hit or 0.0,
        )

    @property
    def run(self) -> Run:
        """Return what was done, in short; lengths that nobody knows are taken for equal."""
        return Run(
            load=self.load,
            concurrency=self.level,
            held=self.concurrency is not None,
            requests=self.completed,
            spread=self.output_tokens.spread or 0.0,
        )

    @property
    def request_ms(self) -> float:
        """Return the time of a whole request."""
        return self.ttft.mean_ms + max(0.0, self.output_tokens.mean - 1) * self.tpot.mean_ms

    @property
    def in_flight(self) -> float:
        """Return how many requests were there on average, by Little's law."""
        return self.requests_per_second * self.request_ms / 1000

    @property
    def level(self) -> int:
        """Return the load level: the concurrency that was held, or the one that the rate came to."""
        return max(1, round(self.in_flight)) if self.concurrency is None else self.concurrency

    @property
    def total_tps(self) -> float:
        """Return input and output tokens per second."""
        return self.output_tps + self.requests_per_second * self.input_tokens.mean
