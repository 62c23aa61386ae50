"""Generate infra/catalog/curves/ from the kernel tables in aiconfigurator-core; `--check` only compares.

Why apart from the program: the tables and what reads them take 600 MB; the curves take half of one.
"""

import csv
import io
import json
import re
import subprocess
import sys
from argparse import ArgumentParser
from itertools import product
from pathlib import Path

from aiconfigurator_environment import aiconfigurator_python

from infra.capacity.memory import memory_fit
from infra.catalog import curves
from infra.catalog.load import load_catalog
from infra.catalog.model import Model
from infra.local.progress import Progress

TABLES = (
    "aiconfigurator-core 0.12.0 (Apache-2.0), vLLM tables 0.24.0, on A100 0.14.0; m measured, i interpolated"
)
SYSTEMS = {
    "a100-80": ("a100_sxm", "0.14.0"),
    "b200": ("b200_sxm", "0.24.0"),
    "b300": ("b300_sxm", "0.24.0"),
    "h100": ("h100_sxm", "0.24.0"),
    "h200": ("h200_sxm", "0.24.0"),
    "l40s": ("l40s", "0.24.0"),
    "rtx-pro-6000": ("rtx_pro_6000_server", "0.24.0"),
}
BLACKWELL = ("b200", "b300")
# What vLLM's recipe for gpt-oss turns on there: MXFP8 activations beside the MXFP4 weights.
MXFP4_ON_BLACKWELL = "w4a8_mxfp4_mxfp8"
# Models whose own config.json the package lacks: that of the same architecture, and the formats of the
# weights where it says others. DeepSeek-R1 and V3.1 differ in their weights only; so do Kimi K2.5 and K2.6.
CONFIGURATIONS: dict[str, tuple[str, str | None, str | None]] = {
    "deepseek-r1-fp4": ("nvidia/DeepSeek-V3.1-NVFP4", None, None),
    "kimi-k2.6": ("moonshotai/Kimi-K2.5", None, None),
    "llama-3.3-70b-fp4": ("meta-llama/Meta-Llama-3.1-70B", "nvfp4", None),
    "llama-3.3-70b-fp8": ("nvidia/Llama-3.1-70B-Instruct-FP8", None, None),
    "qwen3-coder-480b-a35b-fp8": ("Qwen/Qwen3-Coder-480B-A35B-Instruct", "fp8_block", "fp8_block"),
}
SHORTEST_CONTEXT = 8192
"""A layout that cannot hold one sequence of this length is left out."""
STAGES = (1, 2)
"""Pipelines: a step takes as long through all stages as through one, so they need no curves of their own."""
AXES = {
    "tokens": curves.TOKENS,
    "new_tokens": curves.NEW_TOKENS,
    "past_tokens": curves.PAST_TOKENS,
    "sequences": curves.SEQUENCES,
    "context_tokens": curves.CONTEXT_TOKENS,
}


def main() -> int:
    """Write every model's curves, or those named; or say which differ from what is committed."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help="default: all of the catalog")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file is stale")
    options = parser.parse_args()
    python = aiconfigurator_python(Progress())
    stale = []
    for name in options.models or sorted(load_catalog().models):
        path = curves.FOLDER / f"{name}.csv"
        wanted = curves_text(load_catalog().models[name], python)
        if wanted == (path.read_text(encoding="utf-8") if path.exists() else None):
            continue
        stale.append(path.name)
        if not options.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted, encoding="utf-8") if wanted else path.unlink(missing_ok=True)
            print(f"{path.name}: {'rewritten' if wanted else 'no layout has tables'}", flush=True)
    if stale and options.check:
        print(f"stale, run `make catalog`: {', '.join(stale)}", file=sys.stderr)
        return 1
    return 0


def curves_text(model: Model, python: Path) -> str | None:
    """Return a model's file; None where the tables cover it nowhere."""
    layouts = _layouts(model)
    request = {"axes": AXES, "jobs": [_job(model, layout) for layout in layouts]}
    answer = subprocess.run(
        [python, Path(__file__).with_name("aiconfigurator_grids.py")],
        input=json.dumps(request), capture_output=True, text=True, check=True,
    )  # fmt: skip
    out = io.StringIO()
    out.write(f"# {TABLES}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(curves.HEADER)
    written = 0
    for layout, grid in zip(layouts, json.loads(answer.stdout), strict=True):
        if "error" in grid:
            print(f"  {model.name} {layout}: {grid['error']}", file=sys.stderr)
            continue
        written += 1
        writer.writerows(_rows(layout, grid))
    return out.getvalue() if written else None


def _layouts(model: Model) -> list[curves.Layout]:
    gpus = load_catalog().gpus
    found: list[curves.Layout] = []
    for gpu, (tensor, data, expert) in product(SYSTEMS, _parallel(model)):
        if gpu not in gpus or (gpu == "l40s" and tensor > 4):
            continue
        fits = any(
            memory_fit(
                model,
                gpus[gpu],
                role="serve",
                tensor_parallel=tensor,
                pipeline_parallel=stages,
                data_parallel=data,
                longest_sequence_tokens=SHORTEST_CONTEXT,
                gpu_memory_utilization=0.92,
                max_num_seqs=16,
            ).fits
            for stages in STAGES
        )
        if fits:
            found.append((gpu, tensor, data, expert))
    return found


def _parallel(model: Model) -> list[tuple[int, int, bool]]:
    """Return tensor and data parallel sizes, and whether experts are spread whole; those that are in use."""
    plain = [(size, 1, False) for size in (1, 2, 4, 8)]
    return [*plain, (16, 1, False), (8, 1, True), (1, 8, True), (1, 16, True)] if model.moe else plain


def _job(model: Model, layout: curves.Layout) -> dict[str, object]:
    gpu, tensor, data, expert = layout
    system, tables = SYSTEMS[gpu]
    configuration, gemm, experts = CONFIGURATIONS.get(model.name, (_cited(model), None, None))
    if model.precision == "mxfp4" and gpu in BLACKWELL:
        experts = MXFP4_ON_BLACKWELL
    return {
        "model": configuration,
        "system": system,
        "tables": tables,
        "tensor_parallel": tensor,
        "data_parallel": data,
        "expert_parallel": expert,
        "gemm_precision": gemm,
        "moe_precision": experts,
    }


def _cited(model: Model) -> str:
    """Return the name under which the package has the model's config.json, as the catalog cites it."""
    for source in model.sources:
        if cited := re.search(r"model_configs/(.+?)_config\.json", source.cite):
            return cited[1].replace("--", "/", 1)
    return model.hf_id


def _rows(layout: curves.Layout, grid: dict[str, object]) -> list[list[str]]:
    gpu, tensor, data, expert = layout
    key = [gpu, str(tensor), str(data), "yes" if expert else "no"]
    lines = [("compute", "", "", grid["compute"]), ("communicate", "", "", grid["communicate"])]
    lines += [
        ("prefill", "", past, row) for past, row in zip(curves.PAST_TOKENS, grid["prefill"], strict=True)
    ]
    for kv_dtype, table in grid["decode"].items():
        lines += [
            ("decode", kv_dtype, context, row)
            for context, row in zip(curves.CONTEXT_TOKENS, table, strict=True)
        ]
    return [
        [*key, part, kv, str(at), "".join(mark for _, mark in row), " ".join(f"{ms:.4g}" for ms, _ in row)]
        for part, kv, at, row in lines
    ]


if __name__ == "__main__":
    raise SystemExit(main())
