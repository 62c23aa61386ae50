"""Measured rows, and what the calculator says to each: shared by the programs that score and that fit."""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from infra.capacity.facts import group_of
from infra.capacity.fitted import Constants
from infra.capacity.group import Group
from infra.capacity.load import Load
from infra.capacity.replay import closed_loop, replay
from infra.capacity.roles import role_stack
from infra.catalog.curves import Curves, load_curves
from infra.catalog.load import load_catalog
from infra.catalog.model import Model, Precision

ROWS = Path(__file__).with_name("capacity_rows.csv")

# How InferenceX drives vLLM: its benchmarks/ scripts and benchmark_lib.sh, looked up 2026-11-21.
PROMPTS_PER_PLACE = 10
SHORTEST = 0.8
BATCHED_TOKENS = 8192
MEMORY_UTILIZATION = 0.9

NO_CURVES = Curves(tables="", grids={})

_CHECKPOINTS = {
    # Of the same architecture as the catalog's; the rows' own checkpoints are quantized from it.
    ("llama-3.1-70b", "fp8"): "llama-3.3-70b-fp8",
    ("llama-3.1-70b", "fp4"): "llama-3.3-70b-fp4",
}
# NVIDIA's FP8 checkpoints of Llama ask for an fp8 KV cache (kv_cache_quant_algo of hf_quant_config.json).
_KV_CACHE = {("llama-3.1-70b", "fp8"): "fp8"}
_PRECISIONS: dict[str, tuple[Precision, ...]] = {
    "fp4": ("nvfp4", "mxfp4"),
    "mxfp4": ("mxfp4",),
    "nvfp4": ("nvfp4",),
    "fp8": ("fp8",),
    "int4": ("int4",),
    "bf16": ("bf16",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """One load level of one run."""

    id: str
    model: str
    gpu: str
    precision: str
    tensor_parallel: int
    data_parallel: int
    expert_parallel: bool
    isl: int
    osl: int
    concurrency: int
    measured: "Numbers"
    aiconfigurator: "Numbers | None"
    naive_tps: float

    @property
    def curve(self) -> tuple[object, ...]:
        """Return what rows of one curve have in common: all but the concurrency."""
        layout = (self.tensor_parallel, self.data_parallel, self.expert_parallel)
        return (self.model, self.gpu, self.precision, *layout, self.isl, self.osl)


@dataclass(frozen=True, slots=True)
class Numbers:
    """TTFT and TPOT in milliseconds, output tokens per second."""

    ttft_ms: float
    tpot_ms: float
    tps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One start of an engine."""

    id: str
    model: str
    gpu: str
    precision: str
    tensor_parallel: int
    max_model_len: int
    starts: bool


def serving(path: Path = ROWS) -> tuple[Serving, ...]:
    """Return the serving rows of a file."""
    return tuple(
        Serving(
            id=row["id"],
            model=row["model"],
            gpu=row["gpu"].removesuffix("_sxm"),
            precision=row["precision"],
            tensor_parallel=int(row["tp"]),
            data_parallel=int(row["dp"] or 1),
            expert_parallel=int(row["moe_ep"] or 1) > 1,
            isl=int(row["isl"]),
            osl=int(row["osl"]),
            concurrency=int(row["concurrency"]),
            measured=Numbers(float(row["ttft_ms"]), float(row["tpot_ms"]), float(row["out_tps"])),
            aiconfigurator=_numbers(row),
            naive_tps=float(row["naive_roofline_out_tps"]),
        )
        for row in _rows(path)
        if row["kind"] == "serving"
    )


def memory(path: Path = ROWS) -> tuple[Memory, ...]:
    """Return the memory rows of a file."""
    return tuple(
        Memory(
            id=row["id"],
            model=row["model"],
            gpu=row["gpu"].removesuffix("_sxm"),
            precision=row["precision"],
            tensor_parallel=int(row["tp"]),
            max_model_len=int(row["notes"].split("max_model_len ")[1].split(".")[0]),
            starts="does not fit" not in row["notes"],
        )
        for row in _rows(path)
        if row["kind"] == "memory"
    )


def catalog_model(name: str, precision: str) -> Model | None:
    """Return the catalog's model that a row ran, best in its precision; None where the catalog lacks it."""
    models = load_catalog().models
    if checkpoint := _CHECKPOINTS.get((_tail(name), precision)):
        return models[checkpoint]
    of_name = [one for one in models.values() if _stem(name) in (_stem(one.name), _stem(one.hf_id))]
    in_precision = [one for one in of_name if one.precision in _PRECISIONS.get(precision, ())]
    return next(iter(in_precision or of_name), None)


def _stem(name: str) -> str:
    """Return a name without what tells variants of one architecture apart."""
    return re.sub(
        r"(-(instruct|thinking|base|dynamic|fp8|fp4|nvfp4|bf16|int4|0528|2507|v2))+$", "", _tail(name)
    )


def _tail(name: str) -> str:
    return name.rsplit("/", maxsplit=1)[-1].lower().removeprefix("meta-")


@lru_cache(maxsize=4096)
def group(row: Serving, constants: Constants, *, curves: bool = True) -> Group | None:
    """Return the engine of a row, from a roofline without `curves`; None where the catalog lacks it."""
    model, gpu = catalog_model(row.model, row.precision), load_catalog().gpus.get(row.gpu)
    machine = load_catalog().machines.get(f"{row.gpu}-8")
    if model is None or gpu is None or machine is None:
        return None
    arguments: dict[str, object] = {
        "max-num-batched-tokens": BATCHED_TOKENS,
        "max-num-seqs": row.concurrency,
        "gpu-memory-utilization": MEMORY_UTILIZATION,
    }
    if kv_cache := _KV_CACHE.get((_tail(row.model), row.precision)):
        arguments["kv-cache-dtype"] = kv_cache
    if row.expert_parallel:
        arguments["enable-expert-parallel"] = None
    stack = role_stack(
        machine,
        gpu,
        arguments,
        tensor_parallel=row.tensor_parallel,
        data_parallel=row.data_parallel,
    )
    held = _PRECISIONS.get(row.precision, ())
    if held and model.precision not in held:
        stack = replace(stack, precision=held[0])
    return group_of(
        model, load_curves(model.name) if curves else NO_CURVES, {"serve": stack}, constants=constants
    )


@lru_cache(maxsize=4096)
def predict(row: Serving, constants: Constants, *, curves: bool = True) -> Numbers | None:
    """Return what the calculator says to a row, its run replayed from the first wave on."""
    found = group(row, constants, curves=curves)
    if found is None:
        return None
    engine = found.roles["serve"]
    requests = closed_loop(
        Load(input_tokens=row.isl, output_tokens=row.osl),
        PROMPTS_PER_PLACE * max(1, row.concurrency // engine.ranks),
        SHORTEST,
    )
    run = replay(engine, requests, row.concurrency)
    return with_tps(row, run.ttft_mean_ms, run.tpot_mean_ms)


def with_tps(row: Serving, ttft_ms: float, tpot_ms: float) -> Numbers:
    """Return numbers with the tokens per second that follow from them, as the rows derive them."""
    return Numbers(ttft_ms, tpot_ms, row.concurrency * row.osl / (ttft_ms + (row.osl - 1) * tpot_ms) * 1000)


Predictor = Callable[[Serving], Numbers | None]


def _numbers(row: dict[str, str]) -> Numbers | None:
    tps = row["aic012_out_tps"]
    if not tps:
        return None
    ttft, tpot = row["aic012_ttft_ms"], row["aic012_tpot_ms"]
    return Numbers(float(ttft or "nan"), float(tpot or "nan"), float(tps))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        yield from csv.DictReader(line for line in lines if not line.startswith("#"))
