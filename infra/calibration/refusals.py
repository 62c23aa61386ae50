"""Why a measurement cannot calibrate a target: every reason, with numbers and what is allowed."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from infra.calibration.results import Result
from infra.calibration.target import Target, minor
from infra.capacity.calibration import SAME_SHAPE
from infra.capacity.measurement import Lengths, Measurement, Run
from infra.problems import Problem

Predict = Callable[[Run], tuple[float, float]]
"""Mean TTFT and TPOT, in milliseconds, that a run should see."""

MAX_SPREAD = SAME_SHAPE
"""Standard deviation over mean of prompts or answers: beyond it a run is no longer of one shape.

A uniform draw from 0.8 to 1.0 of the nominal length, as InferenceX uses, has 0.064; a fixed length 0.
"""

MIN_REQUESTS_PER_PLACE = 4
"""Requests per request in flight. Fewer leave more of the run to its start and end than to its middle."""

MIN_HELD = 0.8
"""Share of the concurrency that was there on average; 0.9 is what four requests per place come to."""

MIN_ACHIEVED = 0.95
"""Share of the requested rate that was served; what is lacking has queued."""

MAX_TTFT_RATIO = 3.0
"""Measured over predicted TTFT. Predictions of TTFT miss by half; a wait for room costs a whole answer."""

MAX_TTFT_SHARE = 0.5
"""TTFT over the time of the rest of the answer, up to which a long TTFT is no sign of waiting for room."""

MAX_TPOT_RATIO = 3.0
"""TPOT over or under the predicted. Predictions miss by less; another GPU, layout or model is further off."""

LEAST_MS = 0.01
"""A shorter latency is none: no engine answers in it."""

# Endpoints of this project have ids that name no model: infra/names.py.
_ENDPOINT_ID = re.compile(r"ep-.+-[0-9a-f]{6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a person says of runs whose files do not."""

    engine_version: str | None = None
    warmed_up: bool = False
    equal_lengths: bool = False
    adapters: int = 0
    """LoRA adapters that were in use; no result file says it."""


def refusals(result: Result, target: Target, predict: Predict, stated: Stated) -> tuple[Problem, ...]:
    """Return every reason against a measurement; none where it may calibrate."""
    run = result.measurement
    found = [*_another(run, target, stated), *_unfit(run, stated)]
    known = run.concurrency is not None or run.requested_rps is not None
    if known and run.completed and _streamed(run):
        found += _queued(run, target, predict)
    return tuple(result.problem(message, rule) for rule, message in found)


def _another(run: Measurement, target: Target, stated: Stated) -> Iterator[tuple[str, str]]:
    """Yield what was measured on something else than the target."""
    was, stack = run.deployment, target.writing
    instance = stack.pool.instance
    if was.model is not None and not _is_model(was.model, target):
        yield "model", f"model: measured {was.model}, not {target.name} ({target.model.hf_id})"
    if was.engine is not None and was.engine != "vllm":
        yield "engine-version", f"engine: measured {was.engine}; only vllm is calibrated"
    version = was.engine_version or stated.engine_version
    if version is None:
        yield "engine-version", "engine version: the file does not say; give --engine-version"
    elif minor(version) != minor(target.engine_version):
        message = f"engine version: measured vllm {version}; must be {minor(target.engine_version)}.x"
        yield "engine-version", message
    if was.engine_version and stated.engine_version and was.engine_version != stated.engine_version:
        message = f"the file says {was.engine_version}, --engine-version says {stated.engine_version}"
        yield "engine-version", f"engine version: {message}"
    if was.gpu is not None and not _is_gpu(was.gpu, instance.gpu.name):
        yield "gpu", f"gpu: measured on {was.gpu}, not {instance.gpu.name}"
    for name, measured, wanted in (
        ("tensor parallel", was.tensor_parallel, instance.tensor_parallel),
        ("pipeline parallel", was.pipeline_parallel, instance.pipeline_parallel),
        ("data parallel", was.data_parallel, instance.data_parallel),
        ("engines", was.instances, stack.pool.count),
        ("precision", was.precision, target.precision),
    ):
        if measured is not None and measured != wanted:
            yield "gpu", f"{name}: measured with {measured}, not {wanted}"


def _unfit(run: Measurement, stated: Stated) -> Iterator[tuple[str, str]]:
    """Yield what makes a run say little about any system."""
    if run.failed:
        yield "failed-requests", f"{run.failed} of {run.failed + run.completed} requests failed; must be none"
    elif not run.completed:
        yield "failed-requests", "no request was completed"
    if run.cut_short is not None:
        yield "load", f"not one steady run: {run.cut_short}"
    if run.completed and not _streamed(run):
        yield "no-latency", "has no TTFT or no TPOT; measure with streaming and answers of several tokens"
    if run.concurrency is None and run.requested_rps is None:
        yield (
            "load",
            "has no load level, neither a concurrency that was held nor a rate; measure one of them, "
            "and of inference-perf give stage_<N>_lifecycle_metrics.json",
        )
    for name, one in (("input", run.input_tokens), ("output", run.output_tokens)):
        yield from _unequal(name, one, stated)
    if run.warmed_up is False:
        yield "warm-up", "no warm-up: the first requests were measured; send unmeasured ones first"
    elif run.warmed_up is None and not stated.warmed_up:
        yield "warm-up", "warm-up: the file does not say; give --warmed-up if requests went before"


def _streamed(run: Measurement) -> bool:
    """Say whether there were first tokens and others after them."""
    return min(run.ttft.mean_ms, run.tpot.mean_ms) >= LEAST_MS and run.load.output_tokens > 1


def _unequal(name: str, one: Lengths, stated: Stated) -> Iterator[tuple[str, str]]:
    if one.spread is None and not stated.equal_lengths:
        message = f"{name} lengths: the file does not say how they vary; give --equal-lengths if they do not"
        yield "lengths", message
    elif one.spread is not None and one.spread > MAX_SPREAD:
        yield (
            "lengths",
            f"{name} lengths: vary by {one.spread:.0%} of their mean of {one.mean:,.0f} tokens (standard "
            f"deviation); must be at most {MAX_SPREAD:.0%}",
        )


def _queued(run: Measurement, target: Target, predict: Predict) -> Iterator[tuple[str, str]]:
    """Yield signs that requests waited for others to leave, so that TTFT and TPOT are of another load."""
    level, room = run.level, target.room(run.load)
    if run.completed < MIN_REQUESTS_PER_PLACE * level:
        yield (
            "few-requests",
            f"{run.completed} requests with {level} in flight; must be at least "
            f"{MIN_REQUESTS_PER_PLACE * level} ({MIN_REQUESTS_PER_PLACE} for each)",
        )
    if run.concurrency is not None and run.in_flight < MIN_HELD * run.concurrency:
        yield (
            "few-requests",
            f"{run.in_flight:.1f} requests were in flight on average, not {run.concurrency}; must be at "
            f"least {MIN_HELD:.0%} of it: run it for longer",
        )
    if run.requested_rps is not None and run.requests_per_second < MIN_ACHIEVED * run.requested_rps:
        yield (
            "queueing",
            f"served {run.requests_per_second:.2f} of {run.requested_rps:.2f} requests per second; must be "
            f"at least {MIN_ACHIEVED:.0%}: beyond saturation TTFT is queueing",
        )
    if level > room:
        yield (
            "queueing",
            f"{level} requests in flight, and a group holds {room} of {run.load.input_tokens} tokens in and "
            f"{run.load.output_tokens} out: the others queued; must be at most {room}",
        )
        return
    predicted_ms, predicted_tpot_ms = predict(run.run)
    rest_ms = run.request_ms - run.ttft.mean_ms
    ratio = run.ttft.mean_ms / predicted_ms
    if ratio > MAX_TTFT_RATIO and run.ttft.mean_ms > MAX_TTFT_SHARE * rest_ms:
        yield (
            "queueing",
            f"TTFT {run.ttft.mean_ms:,.0f} ms is {ratio:.1f} times the {predicted_ms:,.0f} ms that it should "
            f"be with {level} in flight: requests queued; must be at most {MAX_TTFT_RATIO:g} times",
        )
    ratio = run.tpot.mean_ms / predicted_tpot_ms
    if not 1 / MAX_TPOT_RATIO <= ratio <= MAX_TPOT_RATIO:
        yield (
            "implausible",
            f"TPOT {run.tpot.mean_ms:.1f} ms is {ratio:.2f} times the {predicted_tpot_ms:.1f} ms that it "
            f"should be; must be {1 / MAX_TPOT_RATIO:.2f} to {MAX_TPOT_RATIO:g} times: was it this model, "
            "on these GPUs?",
        )


def _is_model(measured: str, target: Target) -> bool:
    """Say whether a name may be the target's model; an endpoint's id may be any."""
    last = measured.rstrip("/").rpartition("/")[2].lower()
    known = {target.name, target.model.hf_id.rpartition("/")[2].lower()}
    return last in known or _ENDPOINT_ID.fullmatch(last) is not None


def _is_gpu(measured: str, gpu: str) -> bool:
    """Say whether a name such as NVIDIA-H100-80GB-HBM3 or h100_sxm is the catalog's."""
    return gpu.partition("-")[0] in re.split(r"[^a-z0-9]+", measured.lower())
