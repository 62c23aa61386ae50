"""Every constant of the calculator that was fitted to measurements, and on which models' rows.

Fitted by `benchmarks/fit_capacity.py` on benchmarks/capacity_rows.csv; each entry of WITHOUT knows nothing of
its model, so that docs/accuracy.md can score every row with constants that never saw the row's model.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.capacity.steps import Label, Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What kernels alone do not tell; milliseconds, or shares."""

    step_ms: float
    """Of a step beside its kernels: scheduling and sampling."""
    sequence_ms: float
    """What each sequence adds to that."""
    client_ms: float
    """From client to engine and back."""
    frontend_ms: float
    """Of the one process that takes requests in, for each."""
    frontend_ms_per_token: float
    """And for each token of its prompt."""
    mixed_factor: float
    """Time of a step with prompts in it over the sum of its kernels: no whole CUDA graph covers such a step,
    and quantizing activations or routing tokens to experts is not among the kernels that were measured."""
    unpacking_factor: float
    """And by how much more where 4-bit weights meet a GPU that cannot multiply them and unpacks them."""
    launch_ms_per_layer: float
    """Time in which the host launches the kernels of a layer, where no CUDA graph does."""


FITTED = Constants(
    step_ms=0.215,
    sequence_ms=0.009,
    client_ms=2.79,
    frontend_ms=0.385,
    frontend_ms_per_token=0.00259,
    mixed_factor=1.31,
    unpacking_factor=1.29,
    launch_ms_per_layer=0.691,
)
"""On all development rows."""

WITHOUT: Mapping[str, Constants] = {
    "meta-llama/Llama-3.1-70B": Constants(
        step_ms=0.175,
        sequence_ms=0.00908,
        client_ms=3.18,
        frontend_ms=0.459,
        frontend_ms_per_token=0.00315,
        mixed_factor=1.48,
        unpacking_factor=1.23,
        launch_ms_per_layer=0.412,
    ),
    "openai/gpt-oss-120b": Constants(
        step_ms=0.556,
        sequence_ms=0.0142,
        client_ms=2.84,
        frontend_ms=0.669,
        frontend_ms_per_token=0.00165,
        mixed_factor=1.27,
        unpacking_factor=1.0,
        launch_ms_per_layer=0.661,
    ),
}
"""By the model whose rows were left out."""

# The roofline, for GPUs and models without curves: shares of what data sheets promise. Fitted by
# `benchmarks/fit_roofline.py` to the curves of six GPUs. Half of the steps on a GPU that is left out are
# within 11 to 15 %.
BANDWIDTH_SHARE = 0.79
FLOPS_SHARE = 0.91
NARROW_FLOPS_SHARE = 0.50
"""In formats narrower than bf16."""
EXPERT_FLOPS_SHARE = 0.36
"""Of that, what routed experts reach."""
ACTIVATION_WIDTHS = 22
"""Values read and written in a layer for each token, in hidden sizes."""
LAYER_MS = 0.031
"""Of a layer that does nothing."""
EXCHANGE_MS = 0.0073
LINK_SHARE = 0.54
ATTENTION_FLOPS_SHARE = 0.47

# Not fitted: no public rows tell them.
PCIE_GB_PER_S = 64
"""Both directions of PCIe 4.0 x16, between GPUs without NVLink."""
NETWORK_SHARE = 0.5
ENCODER_FLOPS_SHARE = 0.4

# Typical errors of TTFT, TPOT and TPS: between median and mean of docs/accuracy.md, rounded up. Measured: by
# what two runs of one engine differ, which nobody published; chosen. Roofline: what it says of GPUs that have
# curves, beside these; for experts it is mostly too fast.
ERRORS = {
    "measured": (0.1, 0.03, 0.03),
    "calibrated": (0.2, 0.07, 0.08),
    "dense": (0.2, 0.1, 0.1),
    "moe": (0.25, 0.15, 0.15),
    "roofline": (0.5, 0.3, 0.3),
    "roofline moe": (0.6, 0.5, 0.5),
}


def typical(kind: str, label: Label, source: str) -> Provenance:
    """Return where a number comes from, with the errors that its kind has."""
    ttft, tpot, tps = ERRORS[kind]
    return Provenance(label=label, source=source, ttft_error=ttft, tpot_error=tpot, tps_error=tps)
