"""Every constant of the calculator that was fitted to measurements, with what it was fitted on.

Fitted by `benchmarks/fit_capacity.py`. Rows: closed-loop vLLM rows of SemiAnalysis InferenceX, as
silicon_sample.csv of PyPI aiconfigurator-core 0.12.0 (Apache-2.0) passes them on; models in `FITTED_ON`.
"""

FITTED_ON = ("meta-llama/Llama-3.1-70B", "openai/gpt-oss-120b")

# A step, beside its kernels: scheduling, sampling, and what each sequence adds to them.
STEP_MS = 0.3
SEQUENCE_MS = 0.009

# A request, beside steps: the way from client to engine and back, and the one process that tokenizes
# prompts one after the other.
CLIENT_MS = 5.0
FRONTEND_MS = 0.45
FRONTEND_MS_PER_TOKEN = 0.001

# Time of a step with prompts in it over the sum of its kernels: no whole CUDA graph covers such a step,
# and quantizing activations and routing tokens to experts is not among the kernels that were measured.
MIXED_FACTOR = 1.25
# Where 4-bit weights meet a GPU that cannot multiply them, they are unpacked to bf16 on the way.
UNPACKING_MIXED_FACTOR = 1.65

# The roofline, for GPUs and models without curves: shares of what data sheets promise, fitted the same way.
BANDWIDTH_SHARE = 0.8
FLOPS_SHARE = 0.4
ATTENTION_FLOPS_SHARE = 0.3
ROOFLINE_STEP_MS = 1.0
LAYER_MS = 0.02
"""Time of a layer whatever its width; as much again where GPUs share it."""

# Not fitted: no public rows tell them.
LINK_SHARE = 0.7
PCIE_GB_PER_S = 64
"""Both directions of PCIe 4.0 x16, between GPUs without NVLink."""
NETWORK_SHARE = 0.5

# Mean absolute errors of TTFT, TPOT and TPS on models that nothing was fitted on: docs/accuracy.md.
ERRORS = {"dense": (0.2, 0.1, 0.1), "moe": (0.25, 0.15, 0.15), "roofline": (0.5, 0.3, 0.3)}
