"""Step times from NVIDIA's measured kernel tables; runs where aiconfigurator-core 0.12.0 is installed.

Reads jobs as JSON on standard input and writes one grid, or the reason why there is none, for each. Imports
nothing of this project: its environment is not the project's (tools/curves.py makes it).
"""

import json
import logging
import shutil
import sys
import tempfile
from pathlib import Path

logging.disable(logging.WARNING)

import aiconfigurator_core  # noqa: E402
from aiconfigurator_core.sdk.common import DefaultHFModels  # noqa: E402
from aiconfigurator_core.sdk.config_builders import build_model_config  # noqa: E402
from aiconfigurator_core.sdk.engine import EngineHandle, build_engine_spec_json  # noqa: E402
from aiconfigurator_core.sdk.models import get_model  # noqa: E402
from aiconfigurator_core.sdk.perf_database import get_database_view  # noqa: E402

CONFIGURATIONS = Path(aiconfigurator_core.__file__).with_name("model_configs")
DECODE_ONLY_TOKENS = 256
"""Up to here a step's tokens are one of each sequence, and each needs its logits; beyond, prompts fill it."""
CAPTURED_TOKENS = 512
"""The largest step that vLLM captures in a CUDA graph by default."""
SHORT_CONTEXT, LONG_CONTEXT = 256, 65536
SMALL_SHARE = 0.1
"""Of a point's time, what may come from formulas and still count as measured."""


def main() -> int:
    """Answer every job in turn, a line each."""
    request = json.load(sys.stdin)
    for job in request["jobs"]:
        try:
            answer = grid(job, request["axes"])
        except Exception as reason:  # the library raises its own kinds for what its tables lack
            answer = {"error": f"{type(reason).__name__}: {str(reason).splitlines()[0][:120]}"}
        print(json.dumps(answer), flush=True)
    return 0


def grid(job: dict, axes: dict) -> dict:
    """Return the parts of a step over the axes, in milliseconds, each point with its provenance."""
    engine = _engine(job, "bfloat16")
    attention = _attention_names(engine)
    captured, looking = engine, attention
    if _in_blocks(job):
        captured = _engine(job | {"model": job["dense_model"], "gemm_precision": "fp8"}, "bfloat16")
        looking = _attention_names(captured)
    dense, sent = [], []
    for tokens in axes["tokens"]:
        steps, apart = (captured, looking) if tokens <= CAPTURED_TOKENS else (engine, attention)
        if tokens <= DECODE_ONLY_TOKENS:
            ops = _decode(steps, tokens, SHORT_CONTEXT)
        else:
            ops = _prefill(steps, tokens, 0)
        rest = {name: op for name, op in ops.items() if name not in apart}
        dense.append(_point({name: op for name, op in rest.items() if not _communicates(name)}))
        sent.append(_point({name: op for name, op in rest.items() if _communicates(name)}))
    prefill = [
        [_point(_only(_prefill(engine, new, past), attention)) for new in axes["new_tokens"]]
        for past in axes["past_tokens"]
    ]
    decode = {"auto": _decode_rows(engine, attention, axes)}
    try:
        decode["fp8"] = _decode_rows(_engine(job, "fp8"), attention, axes)
    except Exception as reason:  # A100 has no kernels for it
        print(f"no fp8 KV cache on {job['system']}: {reason}", file=sys.stderr)
    return {"compute": dense, "communicate": sent, "prefill": prefill, "decode": decode}


def _decode_rows(engine: object, attention: set[str], axes: dict) -> list:
    return [
        [_point(_only(_decode(engine, sequences, context), attention)) for sequences in axes["sequences"]]
        for context in axes["context_tokens"]
    ]


def _configured(name: str) -> str:
    """Return a name that the library finds offline: its own, or a folder with the config.json it ships."""
    shipped = CONFIGURATIONS / f"{name.replace('/', '--')}_config.json"
    if name in DefaultHFModels or not shipped.exists():
        return name
    folder = Path(tempfile.gettempdir()) / f"modelunits-{shipped.stem}"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(shipped, folder / "config.json")
    return str(folder)


def _in_blocks(job: dict) -> bool:
    """Say whether a model's matrices are scaled in blocks.

    The tables' times of such matrices are the host's for small steps: 0.06 ms (H100) or 0.17 ms (B200) each,
    whatever their size. A CUDA graph does without the host, so those steps take the times of matrices with
    one scale, which read as many bytes.
    """
    return str(_model(job, "bfloat16").config.gemm_quant_mode.name) == "fp8_block"


def _model(job: dict, kv_dtype: str) -> object:
    ranks = job["tensor_parallel"] * job["data_parallel"]
    config = build_model_config(
        job["tensor_parallel"],
        1,
        job["data_parallel"],
        1 if job["expert_parallel"] else ranks,
        ranks if job["expert_parallel"] else 1,
        kvcache_quant_mode=kv_dtype,
        gemm_quant_mode=job["gemm_precision"],
        moe_quant_mode=job["moe_precision"],
    )
    return get_model(_configured(job["model"]), config, "vllm")


def _engine(job: dict, kv_dtype: str) -> object:
    database = get_database_view(job["system"], "vllm", job["tables"], database_mode="HYBRID")
    model = _model(job, kv_dtype)
    root = getattr(database, "systems_root", None)
    spec = build_engine_spec_json(
        model,
        model_path=_configured(job["model"]),
        system=job["system"],
        backend="vllm",
        backend_version=job["tables"],
        kv_block_size=None,
        systems_path=root,
        nextn=0,
        database=database,
    )
    return EngineHandle(
        bytes(aiconfigurator_core.engine_spec_bincode_from_json(spec)), systems_path=root
    )._engine


def _decode(engine: object, sequences: int, context: int) -> dict:
    return {_bare(op[0]): op for op in engine.decode_step_per_op(sequences, context, 2, 1.0)}


def _prefill(engine: object, new: int, past: int) -> dict:
    ops = engine.run_static_per_op(1, 1, new + past, 2, past, 1.0, 1.0, "static_ctx", 32)[0]
    return {_bare(op[0]): op for op in ops}


def _bare(name: str) -> str:
    return name.removeprefix("context_").removeprefix("generation_")


def _attention_names(engine: object) -> set[str]:
    """Return the operations whose time grows with the context, when decoding or in prefill."""
    short, long = _decode(engine, 16, SHORT_CONTEXT), _decode(engine, 16, LONG_CONTEXT)
    names = {name for name in long if long[name][1] > 1.01 * short[name][1]}
    alone, after = _prefill(engine, 64, 0), _prefill(engine, 64, 16384)
    return names | {name for name in after if name not in alone or after[name][1] > 1.01 * alone[name][1]}


def _only(ops: dict, names: set[str]) -> dict:
    return {name: op for name, op in ops.items() if name in names}


def _communicates(name: str) -> bool:
    return name.endswith(("_ar", "_ar_1", "_ar_2", "allreduce", "_dispatch", "p2p")) or name in (
        "ar_1",
        "ar_2",
    )


def _point(ops: dict) -> tuple[float, str]:
    total = sum(op[1] for op in ops.values())
    formula = sum(op[1] for op in ops.values() if op[3] != "silicon")
    return total, "m" if formula <= SMALL_SHARE * total else "i"


if __name__ == "__main__":
    raise SystemExit(main())
