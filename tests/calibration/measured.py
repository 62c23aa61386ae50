"""A run that may calibrate, and what it may calibrate: what the tests of calibration start from."""

from dataclasses import replace
from datetime import date

from infra.calibration.results import Result
from infra.calibration.target import Target
from infra.capacity.facts import group_of
from infra.capacity.load import Load
from infra.capacity.measurement import Deployment, Latency, Lengths, Measurement, Run
from infra.capacity.roles import role_stack
from infra.catalog.curves import load_curves
from infra.catalog.load import load_catalog


def predict(load: Load, concurrency: int) -> tuple[float, float]:
    """Predict as an engine does that is never tired: 200 ms of prefill for 1000 tokens, 20 ms a step."""
    return load.input_tokens / 5 * (1 + 0.1 * concurrency), 20 + concurrency / 4


def predict_run(run: Run) -> tuple[float, float]:
    """Predict a run as if it were steady."""
    return predict(run.load, run.concurrency)


def target(**changes: object) -> Target:
    """Return qwen3-32b on two H100s."""
    catalog = load_catalog()
    roles = {"serve": role_stack(catalog.machines["h100-8"], catalog.gpus["h100"], {}, tensor_parallel=2)}
    model = catalog.models["qwen3-32b"]
    plain = Target(
        name=model.name,
        model=model,
        engine_version="0.32.0",
        roles=roles,
        group=group_of(model, load_curves(model.name), roles),
    )
    return replace(plain, **changes)


def measurement(**changes: object) -> Measurement:
    """Return a closed loop of 16 requests, as tools see it."""
    plain = Measurement(
        tool="vllm-bench-serve",
        deployment=Deployment(model="Qwen/Qwen3-32B", engine_version="0.32.1"),
        measured_on=date(2026, 11, 18),
        input_tokens=Lengths(mean=3000, spread=0.0),
        output_tokens=Lengths(mean=300, spread=0.0),
        concurrency=16,
        completed=160,
        failed=0,
        warmed_up=True,
        ttft=Latency(mean_ms=1690.0),
        tpot=Latency(mean_ms=23.5),
        requests_per_second=1.8,
        output_tps=540.0,
    )
    return replace(plain, **changes)


def result(**changes: object) -> Result:
    """Return it with its place."""
    return Result(
        file="run.json", place="", digest="0123456789abcdef" * 4, measurement=measurement(**changes)
    )
