"""What a calibration file holds: points, not factors.

Why: factors are measured over predicted, made anew wherever a prediction is.
"""

from collections.abc import Iterable
from datetime import date
from typing import Literal

from pydantic import Field

from infra.calibration.target import minor
from infra.capacity.calibration import Point
from infra.capacity.load import Load
from infra.capacity.measurement import Run
from infra.spec.base import CatalogName, Complaint, FrozenMap, Spec
from infra.spec.template import ParallelSize, RoleName

StatedFact = Literal["engine-version", "warm-up", "equal-lengths"]
"""What a person says of a run where its result file does not."""


class MeasuredEngine(Spec):
    """The engine that was measured."""

    name: Literal["vllm"]
    version: str


class MeasuredRole(Spec):
    """The engines of one role in the group that was measured."""

    gpu: CatalogName
    count: int = Field(default=1, ge=1, le=1024)
    tensor_parallel: ParallelSize = 1
    pipeline_parallel: ParallelSize = 1
    data_parallel: ParallelSize = 1
    expert_parallel: bool = False
    kv_cache_dtype: str = "auto"


class MeasuredPoint(Spec):
    """One run at one load level."""

    input_tokens: int = Field(ge=1)
    output_tokens: int = Field(ge=2)
    cache_hit: float = Field(default=0.0, ge=0, le=1)
    """Share of the input found in the prefix cache."""
    adapters: int = Field(default=0, ge=0)
    """LoRA adapters in use."""
    concurrency: int = Field(ge=1)
    """Requests in flight."""
    arrivals: Literal["held", "rate"] = "held"
    """Whether that number was held, or came of requests sent at a rate."""
    requests: int = Field(ge=1)
    """Requests that were measured."""
    spread: float = Field(default=0.0, ge=0, le=1)
    """Standard deviation over mean of the lengths of answers."""
    ttft_ms: float = Field(gt=0)
    tpot_ms: float = Field(gt=0)
    tps: float = Field(ge=0)
    """Input and output tokens per second of the group."""
    tool: str = Field(min_length=1)
    """What measured it."""
    engine_version: str
    measured_on: date | None = None
    """As the result file says; None where it does not."""
    stated: tuple[StatedFact, ...] = ()
    """What a person said and the result file did not."""
    digest: str = Field(min_length=8)
    """Of the result file: the beginning of its sha256."""

    @property
    def point(self) -> Point:
        """Return it as the calculator takes it."""
        run = self.run
        ttft_ms = self.ttft_ms if run.held else None
        return Point(load=run.load, concurrency=run.concurrency, ttft_ms=ttft_ms, tpot_ms=self.tpot_ms)

    @property
    def run(self) -> Run:
        """Return what was done."""
        return Run(
            load=Load(
                input_tokens=self.input_tokens,
                output_tokens=self.output_tokens,
                cache_hit=self.cache_hit,
                adapters=self.adapters,
            ),
            concurrency=self.concurrency,
            held=self.arrivals == "held",
            requests=self.requests,
            spread=self.spread,
        )


class CalibrationFile(Spec):
    """What was measured of one model on one group."""

    model: CatalogName
    engine: MeasuredEngine
    """The version that the file began with; points may differ in its last number."""
    precision: str
    roles: FrozenMap[RoleName, MeasuredRole]
    points: tuple[MeasuredPoint, ...]

    def complaints(self) -> Iterable[Complaint]:
        """There is a point, and every one is of the file's engine."""
        if not self.points:
            yield ("points",), "must have at least one"
        for index, point in enumerate(self.points):
            if minor(point.engine_version) != minor(self.engine.version):
                said = f"must be {minor(self.engine.version)}.x as engine.version, got {point.engine_version}"
                yield ("points", index, "engine_version"), said
