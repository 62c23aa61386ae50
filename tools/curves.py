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
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise, product
from pathlib import Path

from aiconfigurator_environment import aiconfigurator_python

from infra.capacity.memory import memory_fit
from infra.capacity.parameters import weight_bytes
from infra.catalog import curves
from infra.catalog.load import load_catalog
from infra.catalog.model import Gpu, Model
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
SAME_BUT_ATTENTION = {"deepseek-ai/DeepSeek-V3.2": "deepseek-ai/DeepSeek-V3"}
"""Models whose attention has tables in the published precision only."""
SHORTEST_CONTEXT = 8192
"""A layout that cannot hold one sequence of this length is left out."""
IMPLAUSIBLE = 8
"""Times the reading of all weights, and IMPLAUSIBLE_MS, beyond which no step is believed."""
IMPLAUSIBLE_MS = 100
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
    models = [load_catalog().models[name] for name in options.models or sorted(load_catalog().models)]
    jobs = [(model, layout) for model in models for layout in _layouts(model)]
    answers = zip(jobs, _answers([_job(*job) for job in jobs]), strict=True)
    stale = [
        name
        for name, of_model in groupby(answers, key=lambda answer: answer[0][0].name)
        if _changed(name, "".join(_lines(*job, grid) for job, grid in of_model), write=not options.check)
    ]
    if stale and options.check:
        print(f"stale, run `make catalog`: {', '.join(stale)}", file=sys.stderr)
        return 1
    return 0


def _answers(jobs: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    """Yield the grid of each job, or its error, as one process of the other environment finds them."""
    python = aiconfigurator_python(Progress())
    program = Path(__file__).with_name("aiconfigurator_grids.py")
    with subprocess.Popen(
        [python, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        json.dump({"axes": AXES, "jobs": jobs}, running.stdin)
        running.stdin.close()
        for line in running.stdout:
            yield json.loads(line)


def _changed(name: str, lines: str, *, write: bool) -> bool:
    """Say whether a model's file is not what was generated, and write it where asked to."""
    path = curves.FOLDER / f"{name}.csv"
    wanted = f"# {TABLES}\n{','.join(curves.HEADER)}\n{lines}" if lines else None
    if wanted == (path.read_text(encoding="utf-8") if path.exists() else None):
        return False
    if write and wanted:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted, encoding="utf-8")
    elif write:
        path.unlink()
    return True


def _layouts(model: Model) -> list[curves.Layout]:
    gpus = load_catalog().gpus
    found: list[curves.Layout] = []
    for gpu, (tensor, data, expert) in product(SYSTEMS, _parallel(model)):
        if gpu not in gpus or not _multiplies(gpus[gpu], model) or model.attention.heads % tensor:
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


def _implausible(model: Model, layout: curves.Layout, times_ms: Sequence[float]) -> str | None:
    """Say that steps take far longer than can be; some tables are filled so."""
    gpu, tensor, data, _ = layout
    held = weight_bytes(model).total / tensor / data
    reading_ms = held / (load_catalog().gpus[gpu].bandwidth_gb_per_s * 1e6)
    if min(times_ms) > IMPLAUSIBLE_MS + IMPLAUSIBLE * reading_ms:
        return f"the shortest step takes {min(times_ms):,.0f} ms, reading all weights {reading_ms:,.0f} ms"
    for less, more in pairwise(times_ms):
        if more > IMPLAUSIBLE * less:
            return f"twice the tokens take {more:,.0f} ms instead of {less:,.0f} ms"
    return None


def _multiplies(gpu: Gpu, model: Model) -> bool:
    """Say whether a GPU has instructions for a model's weights; 4-bit integers are unpacked everywhere."""
    needed = {"fp8": "fp8", "nvfp4": "fp4"}.get(model.precision)
    return needed is None or needed in gpu.tflops


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
        "dense_model": SAME_BUT_ATTENTION.get(configuration, configuration),
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


def _lines(model: Model, layout: curves.Layout, grid: dict[str, object]) -> str:
    """Return a layout's rows; none where the tables lack a kernel or cannot be right, which is said."""
    error = grid.get("error") or _implausible(model, layout, [ms for ms, _ in grid["compute"]])
    if error:
        print(f"{model.name} on {layout}: {error}", file=sys.stderr, flush=True)
        return ""
    gpu, tensor, data, expert = layout
    key = [gpu, str(tensor), str(data), "yes" if expert else "no"]
    rows = [("compute", "", "", grid["compute"]), ("communicate", "", "", grid["communicate"])]
    rows += [
        ("prefill", "", past, row) for past, row in zip(curves.PAST_TOKENS, grid["prefill"], strict=True)
    ]
    for kv_dtype, table in grid["decode"].items():
        rows += [
            ("decode", kv_dtype, context, row)
            for context, row in zip(curves.CONTEXT_TOKENS, table, strict=True)
        ]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        [*key, part, kv, str(at), "".join(mark for _, mark in row), " ".join(f"{ms:.4g}" for ms, _ in row)]
        for part, kv, at, row in rows
    )
    return out.getvalue()


if __name__ == "__main__":
    raise SystemExit(main())
