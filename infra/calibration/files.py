"""Calibration files, `calibrations/<model>/<layout>.yaml`: read, extended with results, and written."""

import json
from collections.abc import Iterator, Sequence
from typing import cast

from infra.calibration.refusals import Predict, Stated
from infra.calibration.results import Result
from infra.calibration.spec import (
    CalibrationFile,
    MeasuredEngine,
    MeasuredPoint,
    MeasuredRole,
    StatedFact,
)
from infra.calibration.target import Target, minor
from infra.capacity.calibration import Calibration, Compared, calibration_of, same_shape
from infra.problems import Problem
from infra.spec.base import Spec
from infra.spec.files import Files
from infra.spec.scalars import read_plain
from infra.spec.stack import Written
from infra.spec.template import RoleName
from infra.spec.validate import source, validate

HEADER = "# Written by `modelunits calibrate`: a measured run a line, from which factors are made at use.\n"


def read_calibration(files: Files, target: Target) -> CalibrationFile | None:
    """Return the calibration of a target; None where there is none, or after saying why it cannot be used."""
    folder, _, name = target.file.rpartition("/")
    if name not in (path.name for path in files.folder(folder)):
        return None
    document = files.document(target.file)
    if document is None:
        return None
    value, problems = validate(CalibrationFile, document)
    if value is not None:
        written = Written(target.layout, value, source(document))
        problems = tuple(_of_another(written, target))
    files.problems.update(problems)
    return None if problems else value


def _of_another(written: Written[CalibrationFile], target: Target) -> Iterator[Problem]:
    """Yield what a file was measured on that is not its target."""
    value, here = written.value, written.source
    if value.model != target.name:
        message = f"model: must be {target.name}, as the folder is called, got {value.model}"
        yield here.problem(("model",), message, "calibration-model")
    if minor(value.engine.version) != minor(target.engine_version):
        message = f"engine.version: measured with vllm {value.engine.version}, and it is to run "
        message += f"{target.engine_version}; measure again and remove this file"
        yield here.problem(("engine", "version"), message, "calibration-engine")
    if dict(value.roles) != _roles(target):
        message = f"roles: must be those of {written.name}, as the file is called"
        yield here.problem(("roles",), message, "calibration-layout")
    if value.precision != target.precision:
        message = f"precision: must be {target.precision}, got {value.precision}"
        yield here.problem(("precision",), message, "calibration-layout")


def calibration_at(points: Sequence[MeasuredPoint], predict: Predict) -> Calibration:
    """Return the factors of measured points, each against what the calculator says of its run."""
    compared = []
    for one in points:
        ttft_ms, tpot_ms = predict(one.run)
        compared.append(Compared(point=one.point, ttft_ms=ttft_ms, tpot_ms=tpot_ms))
    return calibration_of(compared)


def with_results(
    before: CalibrationFile | None, target: Target, results: Sequence[Result], stated: Stated
) -> CalibrationFile:
    """Return a calibration with new measurements in it; they replace those of the same load."""
    # A file that is given twice was measured once.
    new = list(dict.fromkeys(_point(result, stated) for result in results))
    kept = [
        old
        for old in (before.points if before else ())
        if not any(
            (old.concurrency, old.adapters) == (one.concurrency, one.adapters)
            and same_shape(old.point.load, one.point.load)
            for one in new
        )
    ]
    return CalibrationFile(
        model=target.name,
        engine=before.engine if before else MeasuredEngine(name="vllm", version=new[0].engine_version),
        precision=target.precision,
        roles=_roles(target),
        points=tuple(sorted((*kept, *new), key=_order)),
    )


def _order(point: MeasuredPoint) -> tuple[int, int, float, int, str, str]:
    return (
        point.input_tokens,
        point.output_tokens,
        point.cache_hit,
        point.concurrency,
        point.tool,
        point.digest,
    )


def _point(result: Result, stated: Stated) -> MeasuredPoint:
    run = result.measurement
    load = run.load
    said: list[StatedFact] = []
    if run.deployment.engine_version is None:
        said.append("engine-version")
    if run.warmed_up is None:
        said.append("warm-up")
    if run.input_tokens.spread is None or run.output_tokens.spread is None:
        said.append("equal-lengths")
    return MeasuredPoint(
        input_tokens=load.input_tokens,
        output_tokens=load.output_tokens,
        cache_hit=round(load.cache_hit, 3),
        adapters=stated.adapters,
        concurrency=run.level,
        arrivals="rate" if run.concurrency is None else "held",
        requests=run.completed,
        spread=round(run.run.spread, 3),
        ttft_ms=round(run.ttft.mean_ms, 2),
        tpot_ms=round(run.tpot.mean_ms, 3),
        tps=round(run.total_tps, 1),
        tool=f"{run.tool} {run.tool_version}" if run.tool_version else run.tool,
        engine_version=run.deployment.engine_version or stated.engine_version or "",
        measured_on=run.measured_on,
        stated=tuple(said),
        digest=f"sha256:{result.digest[:16]}",
    )


def _roles(target: Target) -> dict[RoleName, MeasuredRole]:
    return {
        cast("RoleName", role): MeasuredRole(
            gpu=stack.pool.instance.gpu.name,
            count=stack.pool.count,
            tensor_parallel=stack.pool.instance.tensor_parallel,
            pipeline_parallel=stack.pool.instance.pipeline_parallel,
            data_parallel=stack.pool.instance.data_parallel,
            expert_parallel=stack.expert_parallel,
            kv_cache_dtype=stack.pool.instance.kv_cache_dtype,
        )
        for role, stack in target.roles.items()
    }


def text(value: CalibrationFile) -> str:
    """Return a calibration file's text: defaults left out, a run a line."""
    lines = [f"model: {value.model}", f"engine: {_flow(value.engine)}", f"precision: {value.precision}"]
    lines += ["roles:", *(f"  {role}: {_flow(one)}" for role, one in value.roles.items())]
    lines += ["points:", *(f"  - {_flow(point)}" for point in value.points)]
    return HEADER + "\n".join(lines) + "\n"


def _flow(value: Spec) -> str:
    written = value.model_dump(mode="json", exclude_defaults=True)
    return "{" + ", ".join(f"{key}: {_scalar(one)}" for key, one in written.items()) + "}"


def _scalar(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, str):
        plain = read_plain(value) == value and not set(value) & set(",[]{}#&*!|>'\"%@`") and ": " not in value
        return value if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_scalar, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)
