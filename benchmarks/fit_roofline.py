"""Fit the roofline's shares to the curves, with all GPUs and with each left out; print them.

Why to curves and not to rows: the roofline carries a model to a GPU without curves, and only curves show the
same models on many GPUs. Run it after the curves change; what it prints goes into infra/capacity/fitted.py.
"""

from collections.abc import Sequence
from math import exp, log
from statistics import median

from scipy.optimize import least_squares

from infra.capacity.memory import kv_bytes
from infra.capacity.parameters import parameters, weight_bytes
from infra.capacity.step_facts import compute_tflops
from infra.catalog.curves import CONTEXT_TOKENS, NEW_TOKENS, SEQUENCES, TOKENS, Grid, load_curves
from infra.catalog.load import load_catalog
from infra.catalog.model import Gpu, Model

GPUS = ("h100", "h200", "b200", "b300", "a100-80", "l40s")
STEP = ("bandwidth", "flops", "narrow flops", "expert flops", "activation widths", "layer ms")
STEP_START = (0.8, 0.8, 0.5, 0.6, 20.0, 0.03)
EXCHANGE = ("exchange ms", "link")
EXCHANGE_START = (0.005, 0.5)

Case = tuple[Model, Gpu, int, Grid]
"""A model on GPUs that share it by tensor parallelism."""


def main() -> int:
    """Print shares fitted to all GPUs, and how far steps on each GPU are from shares fitted without it."""
    cases = [
        (model, load_catalog().gpus[gpu], tensor, grid)
        for name, model in load_catalog().models.items()
        if model.attention.kind == "gqa" and model.attention.linear is None
        for (gpu, tensor, data, expert), grid in load_curves(name).grids.items()
        if gpu in GPUS and data == 1 and not expert
    ]
    shares = _fit(cases, STEP_START)
    print(f"{len(cases)} layouts; {_told(STEP, shares)}")
    for gpu in GPUS:
        without = _fit([case for case in cases if case[1].name != gpu], STEP_START)
        off = [abs(exp(one) - 1) for one in _steps(without, [case for case in cases if case[1].name == gpu])]
        print(f"without {gpu}: {_told(STEP, without)}; off by {median(off):.0%} (median)")
    linked = [case for case in cases if case[2] > 1 and case[1].nvlink_gb_per_s]
    found = least_squares(
        lambda logs: _exchanges([exp(x) for x in logs], linked),
        [log(x) for x in EXCHANGE_START],
        loss="soft_l1",
        f_scale=0.2,
    )
    print(_told(EXCHANGE, [exp(x) for x in found.x]))
    print(f"prefill attention: {median(_prefill_shares(cases)):.2f} of bf16 FLOPs")
    print(f"decode attention: {median(_decode_shares(cases)):.2f} of bandwidth")
    return 0


def _fit(cases: Sequence[Case], start: Sequence[float]) -> list[float]:
    found = least_squares(
        lambda logs: _steps([exp(x) for x in logs], cases),
        [log(x) for x in start],
        loss="soft_l1",
        f_scale=0.2,
    )
    return [exp(x) for x in found.x]


def _steps(shares: Sequence[float], cases: Sequence[Case]) -> list[float]:
    """Return the logarithms of a roofline's step over the curve's, without communication."""
    bandwidth, flops, narrow, of_experts, widths, layer_ms = shares
    found = []
    for model, gpu, size, grid in cases:
        held, counts = weight_bytes(model), parameters(model)
        visited = model.experts.active / model.experts.routed if model.experts else 1.0
        tflops = compute_tflops(model.precision, gpu)
        rate = tflops * 1e9 * (flops if tflops == gpu.tflops["bf16"] else narrow)
        others = 2 * (counts.total - counts.experts - counts.embeddings / 2) / size
        computing = (others + 2 * counts.experts * visited / size / of_experts) / rate
        per_ms = bandwidth * gpu.bandwidth_gb_per_s * 1e6
        for tokens, ms in zip(TOKENS, grid.compute_ms, strict=True):
            awake = 1 - (1 - visited) ** tokens
            reading = (held.layers + held.embeddings / 2 + held.experts * awake) / size / per_ms
            touching = tokens * widths * model.layers * model.hidden_size * 2 / per_ms
            found.append(log((max(reading, tokens * computing) + touching + model.layers * layer_ms) / ms))
    return found


def _exchanges(shares: Sequence[float], cases: Sequence[Case]) -> list[float]:
    exchange_ms, link = shares
    found = []
    for model, gpu, size, grid in cases:
        sent = 2 * (size - 1) / size * 2 * model.layers * model.hidden_size * 2
        per_ms = link * (gpu.nvlink_gb_per_s or 0.0) / 2 * 1e6
        for tokens, ms in zip(TOKENS, grid.communicate_ms, strict=True):
            if ms > 0:
                found.append(log((2 * model.layers * exchange_ms + tokens * sent / per_ms) / ms))
    return found


def _prefill_shares(cases: Sequence[Case]) -> list[float]:
    """Return what long prompts reach, on models that look at everything."""
    return [
        4 * model.attention.heads * model.attention.head_dim * model.layers / size * new**2 / 2
        / (grid.prefill_ms[0][place] * gpu.tflops["bf16"] * 1e9)
        for model, gpu, size, grid in cases
        if not model.attention.windowed_layers
        for place, new in enumerate(NEW_TOKENS)
        if new >= 4096
    ]  # fmt: skip


def _decode_shares(cases: Sequence[Case]) -> list[float]:
    """Return what full batches reach."""
    return [
        kv_bytes(model, context, tensor_parallel=size) * sequences
        / (grid.decode_ms[row][column] * gpu.bandwidth_gb_per_s * 1e6)
        for model, gpu, size, grid in cases
        if not model.attention.windowed_layers
        for row, context in enumerate(CONTEXT_TOKENS)
        for column, sequences in enumerate(SEQUENCES)
        if 4096 <= context <= 32768 and 16 <= sequences <= 256
    ]  # fmt: skip


def _told(names: Sequence[str], values: Sequence[float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in zip(names, values, strict=True))


if __name__ == "__main__":
    raise SystemExit(main())
