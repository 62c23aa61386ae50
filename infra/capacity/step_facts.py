"""Step times from the catalog: a curve where kernels were measured, else a roofline of the data sheets."""

from infra.capacity.curves import PAST_OFFSET, Axes, Curve, logarithms
from infra.capacity.fitted import (
    ACTIVATION_WIDTHS,
    ATTENTION_FLOPS_SHARE,
    BANDWIDTH_SHARE,
    EXCHANGE_MS,
    EXPERT_FLOPS_SHARE,
    FLOPS_SHARE,
    LAYER_MS,
    LINK_SHARE,
    NARROW_FLOPS_SHARE,
    PCIE_GB_PER_S,
    Constants,
    typical,
)
from infra.capacity.memory import kv_bytes
from infra.capacity.parameters import parameters, weight_bytes
from infra.capacity.roles import Instance, RoleStack
from infra.capacity.roofline import Roofline
from infra.capacity.steps import StepTimes
from infra.catalog.curves import (
    CONTEXT_TOKENS,
    NEW_TOKENS,
    PAST_TOKENS,
    SEQUENCES,
    TOKENS,
    Curves,
    Grid,
)
from infra.catalog.model import Gpu, Model, Precision

LEAST_MEASURED = 0.3
"""Share of measured points below which a curve is the library's guess, and no better than a roofline."""

_AXES = Axes(
    tokens=logarithms(TOKENS),
    new_tokens=logarithms(NEW_TOKENS),
    past_tokens=logarithms([past + PAST_OFFSET for past in PAST_TOKENS]),
    sequences=logarithms(SEQUENCES),
    context_tokens=logarithms(CONTEXT_TOKENS),
)


def step_times(model: Model, curves: Curves, stack: RoleStack, constants: Constants) -> StepTimes:
    """Return the step times of a role: its curve where kernels were measured, else a roofline."""
    instance = stack.pool.instance
    layout = (
        instance.gpu.name,
        instance.tensor_parallel,
        instance.data_parallel,
        stack.expert_parallel,
    )
    grid = curves.grids.get(layout)
    if grid is None or grid.measured_share < LEAST_MEASURED or stack.precision not in (None, model.precision):
        return _roofline(model, stack, constants)
    return _curve(model, curves.tables, grid, instance, constants)


def _curve(model: Model, tables: str, grid: Grid, instance: Instance, constants: Constants) -> Curve:
    fp8_cache = instance.kv_cache_dtype.startswith("fp8") or (
        instance.kv_cache_dtype == "auto" and model.kv_cache == "fp8"
    )
    decode = (fp8_cache and grid.decode_fp8_ms) or grid.decode_ms
    return Curve(
        axes=_AXES,
        compute=logarithms(grid.compute_ms),
        communicate=logarithms(grid.communicate_ms),
        prefill=tuple(logarithms(row) for row in grid.prefill_ms),
        decode=tuple(logarithms(row) for row in decode),
        mixed_factor=_mixed_factor(model, instance.gpu, constants),
        launch_ms=model.layers * constants.launch_ms_per_layer,
        provenance=typical(
            "moe" if model.moe else "dense",
            "estimated",
            f"{tables.partition(' (')[0]}, {_percent(grid.measured_share)} of its points measured",
        ),
    )


def _roofline(model: Model, stack: RoleStack, constants: Constants) -> Roofline:
    instance = stack.pool.instance
    gpu, size = instance.gpu, instance.tensor_parallel
    held, counts = weight_bytes(model, stack.precision), parameters(model)
    attention = model.attention
    index_dim = attention.index_head_dim
    windowed = attention.windowed_layers / model.layers
    share = model.experts.active / model.experts.routed if model.experts else 1.0
    # Sparse attention looks at all tokens with its small index only, and at the best of them in full.
    all_share = (
        1.0
        if index_dim is None
        else (index_dim * (attention.index_heads or 1)) / (attention.heads * _pair_width(model))
    )
    whole_layers = (1 - windowed) * all_share
    some = windowed + ((1 - windowed) if index_dim is not None else 0.0)
    token_bytes = kv_bytes(model, 2**20, tensor_parallel=size, kv_cache_dtype=instance.kv_cache_dtype) / 2**20
    tflops = compute_tflops(stack.precision or model.precision, gpu)
    operations_per_ms = tflops * 1e9 * (FLOPS_SHARE if tflops == gpu.tflops["bf16"] else NARROW_FLOPS_SHARE)
    of_experts = 2 * counts.experts * share / size
    of_others = 2 * (counts.total - counts.experts - counts.embeddings / 2) / size
    # Two all-reduces a layer, in bf16; each GPU sends its share of the ring.
    sent_bytes = 2 * (size - 1) / size * 2 * model.layers * model.hidden_size * 2
    link_bytes_per_ms = LINK_SHARE * (gpu.nvlink_gb_per_s or PCIE_GB_PER_S) / 2 * 1e6
    return Roofline(
        weight_bytes=(held.layers + held.embeddings / 2) / size,
        expert_bytes=held.experts / (size * instance.data_parallel),
        expert_share=share,
        activation_bytes=ACTIVATION_WIDTHS * model.layers * model.hidden_size * 2,
        computing_ms=(of_others + of_experts / EXPERT_FLOPS_SHARE) / operations_per_ms,
        fixed_ms=model.layers * LAYER_MS,
        sending_ms=sent_bytes / link_bytes_per_ms,
        sending_fixed_ms=2 * model.layers * EXCHANGE_MS if size > 1 else 0.0,
        bytes_per_ms=BANDWIDTH_SHARE * gpu.bandwidth_gb_per_s * 1e6,
        attention_ms=4
        * attention.heads
        * _pair_width(model)
        * model.layers
        * whole_layers
        / size
        / (ATTENTION_FLOPS_SHARE * gpu.tflops["bf16"] * 1e9),
        kv_bytes=token_bytes,
        windowed_share=some / whole_layers if whole_layers else 0.0,
        window_tokens=attention.window_tokens or 2048,
        mixed_factor=_mixed_factor(model, gpu, constants),
        launch_ms=model.layers * constants.launch_ms_per_layer,
        provenance=typical(
            "roofline moe" if model.moe else "roofline",
            "extrapolated",
            "roofline of the GPU's data sheet",
        ),
    )


def _mixed_factor(model: Model, gpu: Gpu, constants: Constants) -> float:
    unpacked = model.precision == "int4" or (
        model.precision in ("mxfp4", "nvfp4") and "fp4" not in gpu.tflops
    )
    return constants.mixed_factor * (constants.unpacking_factor if unpacked else 1.0)


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def compute_tflops(precision: Precision, gpu: Gpu) -> float:
    """Return the rate at which a GPU multiplies weights, in the narrowest format of both."""
    if precision in ("mxfp4", "nvfp4") and "fp4" in gpu.tflops:
        return gpu.tflops["fp4"]
    if precision == "fp8" and "fp8" in gpu.tflops:
        return gpu.tflops["fp8"]
    return gpu.tflops["bf16"]


def _pair_width(model: Model) -> float:
    """Return the mean width of a head's keys and values."""
    attention = model.attention
    if attention.kind == "gqa":
        return attention.head_dim
    keys = (attention.qk_nope_head_dim or 0) + (attention.qk_rope_head_dim or 0)
    return (keys + (attention.v_head_dim or 0)) / 2
