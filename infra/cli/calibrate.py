"""`modelunits calibrate`: measured runs correct the calculator's numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.calibration.files import calibration_at, read_calibration, text, with_results
from infra.calibration.refusals import Predict, Stated, refusals
from infra.calibration.results import read_results
from infra.calibration.spec import MeasuredPoint
from infra.calibration.target import Target
from infra.capacity.calibration import Calibration
from infra.capacity.facts import group_of
from infra.capacity.roles import RoleStack, role_stack
from infra.catalog.curves import load_curves
from infra.catalog.load import load_catalog
from infra.catalog.model import Catalog, Model
from infra.cli.arguments import Root, fail, fail_with
from infra.cli.market import catalog_market
from infra.cli.offers import read_template, role_stacks, template_names
from infra.cli.size_print import PIPE_WIDTH
from infra.cli.template import refill
from infra.plan.memory import GPU_MEMORY_UTILIZATION
from infra.problems import SpecError, allowed
from infra.spec.files import Files


def calibrate(
    root: Root,
    results: Annotated[
        list[Path],
        typer.Option(
            "--from",
            metavar="FILE",
            help="A result of vllm bench serve, GuideLLM, AIPerf, inference-perf or llm-d-benchmark; "
            "may be given several times.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="The catalog's name of the model.", show_default=False)
    ],
    template: Annotated[
        str | None, typer.Option(metavar="TEMPLATE", help="The template whose group was measured.")
    ] = None,
    gpu: Annotated[
        str | None, typer.Option(metavar="GPU", help="Instead of a template: the catalog's name of the GPU.")
    ] = None,
    tensor_parallel: Annotated[
        int, typer.Option(min=1, metavar="N", help="With --gpu: GPUs of the engine.")
    ] = 1,
    engine_version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Of vLLM, where a file does not say.")
    ] = None,
    warmed_up: Annotated[
        bool, typer.Option("--warmed-up", help="Unmeasured requests went before, where a file does not say.")
    ] = False,
    equal_lengths: Annotated[
        bool, typer.Option("--equal-lengths", help="Lengths did not vary, where a file does not say.")
    ] = False,
    adapters: Annotated[
        int, typer.Option(min=0, metavar="N", help="LoRA adapters that were in use, not merged.")
    ] = 0,
) -> None:
    """Correct the calculator by measured runs: show the numbers before and after, write a calibration file.

    The template's performance table, which plans use, is made anew from it. Where any run is refused nothing
    is written: every reason is printed, and the exit code is 1.
    """
    files = Files(root)
    found, problems = read_results(results)
    target = _target(files, model, template, gpu, tensor_parallel, engine_version)
    if target is None:
        fail_with(SpecError((*problems, *files.problems)))
    stated = Stated(
        engine_version=engine_version, warmed_up=warmed_up, equal_lengths=equal_lengths, adapters=adapters
    )
    before = read_calibration(files, target)
    refused = tuple(
        problem for result in found for problem in refusals(result, target, target.predict, stated)
    )
    if problems or refused or files.problems:
        fail_with(SpecError((*problems, *refused, *files.problems)))
    after = with_results(before, target, found, stated)
    _print(f"{target.name} on {target.layout}", after.points, target.predict)
    path = root / target.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(after), encoding="utf-8")
    print(f"{target.file}: {len(found)} new of {len(after.points)} points")
    if template is not None:
        refill(root, template, Files(root), write=True, show=False)


def _target(
    files: Files,
    model: str,
    template: str | None,
    gpu: str | None,
    tensor_parallel: int,
    engine_version: str | None,
) -> Target | None:
    """Return what the options say was measured; None where the template's file cannot be used."""
    catalog = load_catalog()
    if model not in catalog.models:
        fail(f"--model: no model {model} in the catalog; {allowed(catalog.models, model)}")
    if (template is None) == (gpu is None):
        fail("give either --template, or --gpu and --tensor-parallel")
    if template is None:
        if engine_version is None:
            fail("--gpu: needs --engine-version, because no template says it")
        roles = {"serve": _engine(catalog, gpu or "", tensor_parallel)}
        return _of_roles(catalog.models[model], engine_version, roles)
    if template not in template_names(files):
        fail(f"--template: no template {template}; {allowed(template_names(files), template)}")
    value = read_template(files, template)
    if value is None:
        return None
    market = catalog_market()
    absent = sorted({role.machine for role in value.roles.values()} - set(market.machines))
    if absent:
        fail(f"--template: {template} needs {' and '.join(absent)}, which the catalog does not have")
    return _of_roles(catalog.models[model], value.engine.version, role_stacks(value, market))


def _of_roles(model: Model, engine_version: str, roles: Mapping[str, RoleStack]) -> Target:
    group = group_of(model, load_curves(model.name), roles)
    return Target(name=model.name, model=model, engine_version=engine_version, roles=roles, group=group)


def _engine(catalog: Catalog, gpu: str, tensor_parallel: int) -> RoleStack:
    """Return an engine of the smallest machine that has enough of a GPU."""
    if gpu not in catalog.gpus:
        fail(f"--gpu: no GPU {gpu} in the catalog; {allowed(catalog.gpus, gpu)}")
    sizes = {m.gpus: m for m in catalog.machines.values() if m.gpu == gpu and m.gpus >= tensor_parallel}
    if not sizes:
        fail(f"--tensor-parallel: no machine of the catalog has {tensor_parallel} GPUs {gpu}")
    return role_stack(
        sizes[min(sizes)],
        catalog.gpus[gpu],
        {"gpu-memory-utilization": GPU_MEMORY_UTILIZATION},
        tensor_parallel=tensor_parallel,
    )


def _print(title: str, points: Sequence[MeasuredPoint], predict: Predict) -> None:
    """Print every number before and after, and as it would be had its run not been measured."""
    table = Table(title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("Load")
    table.add_column("")
    headings = ("Before", "Measured", "After", "Error before", "Error after", "Error without it")
    for heading in headings if len(points) > 1 else headings[:-1]:
        table.add_column(heading, justify="right")
    every = calibration_at(points, predict)
    for index, point in enumerate(points):
        others = calibration_at([*points[:index], *points[index + 1 :]], predict)
        for row in _rows(point, predict, every, others):
            table.add_row(*map(Text, row[: len(table.columns)]))
    console = Console()
    console = console if console.is_terminal else Console(width=PIPE_WIDTH)
    console.print(table)
    if len(points) > 1:
        told = "Error without it: where the other runs alone calibrate, as at a load that was not measured."
        console.print(told, highlight=False, soft_wrap=True)


def _rows(
    point: MeasuredPoint, predict: Predict, every: Calibration, others: Calibration
) -> list[tuple[str, ...]]:
    load, concurrency = point.point.load, point.concurrency
    plain = _numbers(point, predict, None)
    after, without = _numbers(point, predict, every), _numbers(point, predict, others)
    measured = (point.ttft_ms, point.tpot_ms, point.tps)
    names = ("TTFT ms", "TPOT ms", "TPS")
    told = f"{load.input_tokens} in, {load.output_tokens} out, {concurrency} in flight"
    return [
        (
            told if index == 0 else "",
            names[index],
            _short(plain[index]),
            _short(measured[index]),
            _short(after[index]),
            _error(plain[index], measured[index]),
            _error(after[index], measured[index]),
            _error(without[index], measured[index]) if others.points else "",
        )
        for index in range(len(names))
    ]


def _numbers(
    point: MeasuredPoint, predict: Predict, factors: Calibration | None
) -> tuple[float, float, float]:
    """Return TTFT, TPOT and the TPS that a closed loop of both comes to."""
    load, concurrency = point.point.load, point.concurrency
    ttft_ms, tpot_ms = predict(point.run)
    if factors is not None:
        ttft_ms *= factors.ttft_factor(load, concurrency)
        tpot_ms *= factors.tpot_factor(load, concurrency)
        tpot_ms *= (factors.lora_factor or 1.0) if load.adapters else 1.0
    request_ms = ttft_ms + (load.output_tokens - 1) * tpot_ms
    return ttft_ms, tpot_ms, concurrency * load.total_tokens * 1000 / request_ms


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _error(predicted: float, measured: float) -> str:
    text = f"{predicted / measured - 1:+.0%}"
    return "0%" if text in ("+0%", "-0%") else text
