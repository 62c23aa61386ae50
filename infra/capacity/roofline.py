"""Estimate the latency and throughput of a group from how much must be read, computed and sent.

Why so small: it stands in until the unit calculator measures. It knows nothing of percentiles, cache hits or
bursts; on disaggregated shapes, data parallelism and pipelines it is unverified.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.capacity.memory import kv_bytes
from infra.capacity.parameters import active_parameters, active_share, parameters, weight_bytes
from infra.catalog.model import Gpu, Model

# Constants fitted, rounded, to 335 closed-loop vLLM rows (Llama-3.1-70B FP8 and gpt-oss-120b on 1 to 8 H100,
# H200 or B200; 1k/1k, 1k/8k, 8k/1k tokens) of SemiAnalysis InferenceX in silicon_sample.csv of PyPI
# aiconfigurator-core 0.12.0 (Apache-2.0). Mean error there, in sample: TPS 12 %, TPOT 14 %, TTFT 36 %.
BANDWIDTH_SHARE = 0.8
FLOPS_SHARE = 0.4
STEP_SECONDS = 0.002
LAYER_SECONDS = 20e-6
LAYER_TENSOR_PARALLEL_SECONDS = 20e-6
QUEUE_FACTOR = 0.5
"""Time to first token grows with the root of the other requests' number by this much of a prefill."""

# Not fitted: no public rows tell them.
LINK_SHARE = 0.7
PCIE_GB_PER_S = 64
"""Both directions of PCIe 4.0 x16, between GPUs without NVLink."""
NETWORK_SHARE = 0.5
POOL_BUSY_SHARE = 0.8
"""Load up to which a pool of prefill or encode instances keeps its queue short."""

FITTED_GPUS = ("h100", "h200", "b200")
FORMULA = "roofline: 80 % of bandwidth, 40 % of FLOPs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a request is: tokens in, of them from one image, and tokens out."""

    input_tokens: int = 3000
    output_tokens: int = 300
    image_tokens: int = 0

    @property
    def context_tokens(self) -> int:
        """Return the tokens in memory half-way through the answer."""
        return self.input_tokens + self.output_tokens // 2


REFERENCE_LOAD = Load()


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The hardware of one engine instance."""

    gpu: Gpu
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    data_parallel: int = 1
    network_gbit_per_s: float = 100.0
    """Its share of the machine's network."""
    kv_cache_dtype: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The instances of one role in a group."""

    count: int
    instance: Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one group does while it holds `concurrency` requests."""

    ttft_ms: float
    tpot_ms: float
    concurrency: int
    tps: float


def estimate(
    model: Model, pools: Mapping[str, Pool], concurrency: int, load: Load = REFERENCE_LOAD
) -> Estimate:
    """Return the estimate of a group in a closed loop; its pools say its shape."""
    if "serve" in pools:
        ttft, tpot, rate = _together(model, pools["serve"], concurrency, load)
    else:
        ttft, tpot, rate = _apart(model, pools, concurrency, load)
    return Estimate(
        ttft_ms=ttft * 1000,
        tpot_ms=tpot * 1000,
        concurrency=concurrency,
        tps=rate * (load.input_tokens + load.output_tokens),
    )


def _together(model: Model, pool: Pool, concurrency: int, load: Load) -> tuple[float, float, float]:
    """One instance does everything: each request's prefill delays everyone else's next tokens."""
    instance = pool.instance
    ranks = pool.count * instance.data_parallel
    here = max(1.0, concurrency / ranks)
    first = prefill_seconds(model, instance, load) + encode_seconds(model, instance, load)
    step = step_seconds(model, instance, here, load)
    tpot = step + (here - 1) * first / instance.pipeline_parallel / load.output_tokens
    ttft = step + first * (1 + QUEUE_FACTOR * (here - 1) ** 0.5)
    return ttft, tpot, concurrency / (ttft + load.output_tokens * tpot)


def _apart(
    model: Model, pools: Mapping[str, Pool], concurrency: int, load: Load
) -> tuple[float, float, float]:
    """Each role has its machines; the slowest pool sets the rate."""
    decode = pools["decode"]
    here = max(1.0, concurrency / (decode.count * decode.instance.data_parallel))
    step = step_seconds(model, decode.instance, here, load)
    work = {"prefill": prefill_seconds(model, pools["prefill"].instance, load)}
    if "encode" in pools:
        work["encode"] = encode_seconds(model, pools["encode"].instance, load)
    else:
        work["prefill"] += encode_seconds(model, pools["prefill"].instance, load)
    unhindered = sum(work.values()) + _transfer_seconds(model, pools["prefill"].instance, load) + step
    servers = {
        role: pools[role].count * pools[role].instance.data_parallel * pools[role].instance.pipeline_parallel
        for role in work
    }
    limit = min(POOL_BUSY_SHARE * servers[role] / seconds for role, seconds in work.items() if seconds)
    rate = min(limit, concurrency / (unhindered + load.output_tokens * step))
    # Mean wait of a queue with even service times: busy share / (2 - 2 x busy share) of one service.
    waits = 0.0
    for role, seconds in work.items():
        busy = rate * seconds / servers[role]
        waits += seconds / servers[role] * busy / (2 - 2 * busy)
    # Requests beyond what the slowest pool can take wait in front of it.
    ttft = max(unhindered + waits, concurrency / limit - load.output_tokens * step)
    return ttft, step, concurrency / (ttft + load.output_tokens * step)


def step_seconds(model: Model, instance: Instance, sequences: float, load: Load) -> float:
    """Return the time in which one data-parallel rank makes a token for each of its sequences."""
    stages = instance.pipeline_parallel
    in_stage = max(1.0, sequences / stages)
    held = weight_bytes(model)
    awake = active_share(model, in_stage * instance.data_parallel)
    read = held.layers + held.experts * awake / instance.data_parallel + held.embeddings / 2
    kv = in_stage * kv_bytes(
        model,
        load.context_tokens,
        tensor_parallel=instance.tensor_parallel,
        kv_cache_dtype=instance.kv_cache_dtype,
    )
    reading = (read / instance.tensor_parallel + kv) / (
        BANDWIDTH_SHARE * instance.gpu.bandwidth_gb_per_s * 1e9
    )
    computing = _compute_seconds(model, instance, in_stage)
    return max(reading, computing) + _fixed_seconds(model, instance, in_stage) + (stages - 1) * STEP_SECONDS


def prefill_seconds(model: Model, instance: Instance, load: Load) -> float:
    """Return the time in which one data-parallel rank reads a prompt; attention itself is left out."""
    tokens = load.input_tokens
    return _compute_seconds(model, instance, tokens) + _fixed_seconds(model, instance, tokens)


def encode_seconds(model: Model, instance: Instance, load: Load) -> float:
    """Return the time to encode the request's image: two operations per weight and patch."""
    if model.vision is None or not load.image_tokens:
        return 0.0
    patches = load.image_tokens * 4  # 2 x 2 patches make a token in every encoder listed
    weights = model.vision.weights_gib * 2**30 / 2
    return 2 * weights * patches / (FLOPS_SHARE * instance.gpu.tflops["bf16"] * 1e12) + STEP_SECONDS


def compute_tflops(model: Model, gpu: Gpu) -> float:
    """Return the rate at which a GPU multiplies a model's weights: fp8 where both can, else bf16."""
    return gpu.tflops.get("fp8", gpu.tflops["bf16"]) if model.precision == "fp8" else gpu.tflops["bf16"]


def _compute_seconds(model: Model, instance: Instance, tokens: float) -> float:
    counts = parameters(model)
    # Data-parallel ranks compute their own tokens; experts of all ranks compute for all, which evens out.
    operations = 2 * (active_parameters(model) - counts.embeddings / 2) * tokens
    rate = FLOPS_SHARE * compute_tflops(model, instance.gpu) * 1e12
    return operations / (rate * instance.tensor_parallel)


def _fixed_seconds(model: Model, instance: Instance, tokens: float) -> float:
    """Return what layers take whatever their width, and the exchange of their results."""
    size = instance.tensor_parallel
    if size == 1:
        return STEP_SECONDS + model.layers * LAYER_SECONDS
    # Two all-reduces a layer, in bf16; each GPU sends its share of the ring.
    sent = 2 * model.layers * tokens * model.hidden_size * 2 * 2 * (size - 1) / size
    link = (instance.gpu.nvlink_gb_per_s or PCIE_GB_PER_S) / 2 * 1e9
    return (
        STEP_SECONDS
        + model.layers * (LAYER_SECONDS + LAYER_TENSOR_PARALLEL_SECONDS)
        + sent / (LINK_SHARE * link)
    )


def _transfer_seconds(model: Model, instance: Instance, load: Load) -> float:
    """Return the time in which a prompt's KV cache crosses the network."""
    bytes_per_gpu = kv_bytes(
        model,
        load.input_tokens,
        tensor_parallel=instance.tensor_parallel,
        kv_cache_dtype=instance.kv_cache_dtype,
    )
    copies = 1 if model.attention.kind == "mla" else instance.tensor_parallel
    return bytes_per_gpu * copies / (NETWORK_SHARE * instance.network_gbit_per_s / 8 * 1e9)
