"""Tell whether a model fits on the GPUs of a role, and how many tokens it can keep there."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from infra.capacity.parameters import weight_bytes
from infra.catalog.model import Gpu, LinearAttention, Model, Precision

_GIB = 2**30

# Of 80 GiB on the label, vLLM sees 79.18 on an H100: llm-d-benchmark, config_explorer/
# empirical-vllm-memory-results.md (Apache-2.0). All constants here are checked against its start-up logs.
VISIBLE_SHARE = 0.99

# Peak of activations in vLLM's profiling run: the sampler over max-num-seqs rows of the vocabulary. The logs
# give 38.4 to 38.9 bytes per entry for five models of 0.6 to 70 billion parameters.
SAMPLER_BYTES_PER_LOGIT = 39

# What CUDA and NCCL take besides: 0.14 GiB on one GPU, 0.54 on two, in the same logs.
RUNTIME_GIB = 0.15
COMMUNICATION_GIB = 0.4

# vLLM's index of sparse attention keeps fp8 keys with one 4-byte scale (DeepSeek-V3.2).
_INDEX_SCALE_BYTES = 4

# With an fp8 cache, sparse attention keeps 512 fp8 values, four 4-byte scales and 64 bf16 values of each
# token: `fp8_ds_mla` in vllm/v1/attention/backends/mla/flashmla_sparse.py, 0.32.0.
_SPARSE_FP8_BYTES = 656

# The state of linear attention is float32 (`mamba_ssm_dtype` of Qwen3.5's config.json); the inputs that its
# convolution looks back to are bf16. Shapes: `gated_delta_net_state_shape` in
# vllm/model_executor/layers/mamba/mamba_utils.py, 0.32.0.
_STATE_BYTES = 4
_CONVOLUTION_BYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFit:
    """Memory of the fullest GPU of one engine instance; GiB per GPU."""

    weights_gib: float
    kv_gib: float
    """For the wanted sequences, or for the longest single one where that is more."""
    adapters_gib: float
    overhead_gib: float
    available_gib: float
    kv_tokens_capacity: int
    """Tokens that the whole instance can keep beside its weights."""

    @property
    def needed_gib(self) -> float:
        """Return what has to fit."""
        return self.weights_gib + self.kv_gib + self.adapters_gib + self.overhead_gib

    @property
    def fits(self) -> bool:
        """Say whether it does."""
        return self.needed_gib <= self.available_gib


def memory_fit(
    model: Model,
    gpu: Gpu,
    *,
    role: str,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    data_parallel: int = 1,
    sequences: int = 1,
    tokens_per_sequence: int = 3300,
    longest_sequence_tokens: int = 0,
    gpu_memory_utilization: float = 0.9,
    adapters_rank: Sequence[int] = (),
    precision: Precision | None = None,
    kv_cache_dtype: str = "auto",
    max_num_seqs: int | None = None,
) -> MemoryFit:
    """Return what one engine instance needs of each GPU, and what there is.

    `sequences` are the instance's, over all its data-parallel ranks. `longest_sequence_tokens` is
    max-model-len: vLLM refuses to start where not even one sequence of that length fits.
    """
    available_gib = gpu.memory_gib * VISIBLE_SHARE * gpu_memory_utilization
    overhead_gib = RUNTIME_GIB + (COMMUNICATION_GIB if tensor_parallel * pipeline_parallel > 1 else 0)
    if role == "encode":
        # The encoder alone (--mm-encoder-only): no language model, no KV cache; activations of its own.
        vision_gib = model.vision.weights_gib if model.vision else 0.0
        return MemoryFit(
            weights_gib=vision_gib / tensor_parallel,
            kv_gib=0.0,
            adapters_gib=0.0,
            overhead_gib=overhead_gib + _encoder_activation_gib(model),
            available_gib=available_gib,
            kv_tokens_capacity=0,
        )

    weights_gib = _weights_gib(model, precision, tensor_parallel, pipeline_parallel, data_parallel)
    adapters_gib = _adapters_gib(model, adapters_rank, tensor_parallel, pipeline_parallel)
    overhead_gib += (
        model.vocab_size * (max_num_seqs or default_max_num_seqs(gpu)) * SAMPLER_BYTES_PER_LOGIT / _GIB
    )

    def kv_gib(tokens: int) -> float:
        return (
            kv_bytes(
                model,
                tokens,
                tensor_parallel=tensor_parallel,
                pipeline_parallel=pipeline_parallel,
                kv_cache_dtype=kv_cache_dtype,
            )
            / _GIB
        )

    per_rank = ceil(sequences / data_parallel)
    free_gib = max(0.0, available_gib - weights_gib - adapters_gib - overhead_gib)
    return MemoryFit(
        weights_gib=weights_gib,
        kv_gib=max(per_rank * kv_gib(tokens_per_sequence), kv_gib(longest_sequence_tokens)),
        adapters_gib=adapters_gib,
        overhead_gib=overhead_gib,
        available_gib=available_gib,
        kv_tokens_capacity=int(free_gib / kv_gib(tokens_per_sequence) * tokens_per_sequence) * data_parallel,
    )


def kv_bytes(
    model: Model,
    tokens: int,
    *,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    kv_cache_dtype: str = "auto",
) -> int:
    """Return the KV cache bytes that one sequence takes on each GPU."""
    attention = model.attention
    full_layers = model.layers
    state = 0.0
    if attention.linear is not None:
        full_layers -= attention.linear.layers
        # vLLM makes a block of tokens as large as a state: the last block of each layer is half empty. The
        # second state that a prefix cache takes while a prompt is read is left out.
        state_layers = attention.linear.layers + full_layers / 2
        state = _state_bytes(attention.linear) / tensor_parallel * state_layers
    remembered = min(tokens, attention.window_tokens) if attention.window_tokens is not None else tokens
    token_layers = tokens * (full_layers - attention.windowed_layers) + remembered * attention.windowed_layers
    per_token = _bytes_per_token(model, tensor_parallel, kv_cache_dtype)
    return ceil((per_token * token_layers + state) * _stage_share(model, pipeline_parallel))


def default_max_num_seqs(gpu: Gpu) -> int:
    """Return vLLM's default for its API server: `get_batch_defaults` in vllm/engine/arg_utils.py, 0.32.0."""
    return 1024 if gpu.memory_gib >= 70 and not gpu.name.startswith("a100") else 256


def _bytes_per_token(model: Model, tensor_parallel: int, kv_cache_dtype: str) -> int:
    """Return what one layer with full attention keeps of a token."""
    attention = model.attention
    sixteen_bits = (
        model.kv_cache == "bf16" if kv_cache_dtype == "auto" else kv_cache_dtype in ("bfloat16", "float16")
    )
    element_bytes = 2 if sixteen_bits else 1
    if attention.kind == "gqa":
        return 2 * max(1, attention.kv_heads // tensor_parallel) * attention.head_dim * element_bytes
    # The compressed keys and values are one head: tensor parallelism copies it.
    compressed = ((attention.kv_lora_rank or 0) + (attention.qk_rope_head_dim or 0)) * element_bytes
    if attention.index_head_dim is None:
        return compressed
    index = attention.index_head_dim + _INDEX_SCALE_BYTES
    return index + (compressed if sixteen_bits else _SPARSE_FP8_BYTES)


def _state_bytes(linear: LinearAttention) -> int:
    """Return what one layer of linear attention keeps of a sequence."""
    keys, values = linear.key_heads * linear.head_dim, linear.value_heads * linear.head_dim
    convolution = (2 * keys + values) * (linear.conv_kernel - 1)
    return values * linear.head_dim * _STATE_BYTES + convolution * _CONVOLUTION_BYTES


def _stage_share(model: Model, pipeline_parallel: int) -> float:
    """Return the share of the layers that the longest pipeline stage has."""
    return ceil(model.layers / pipeline_parallel) / model.layers


def _weights_gib(
    model: Model,
    precision: Precision | None,
    tensor_parallel: int,
    pipeline_parallel: int,
    data_parallel: int,
) -> float:
    held = weight_bytes(model, precision)
    share = _stage_share(model, pipeline_parallel) / tensor_parallel
    # Input and output embeddings are of one size, at the two ends of the pipeline.
    ends = 1.0 if pipeline_parallel == 1 or model.tied_embeddings else 0.5
    of_one_gpu = (held.layers + held.experts / data_parallel) * share + (
        held.embeddings * ends + held.vision
    ) / tensor_parallel
    return of_one_gpu / _GIB


def _adapters_gib(
    model: Model, adapters_rank: Sequence[int], tensor_parallel: int, pipeline_parallel: int
) -> float:
    """Return the slots that vLLM sets aside: every adapter at the largest rank, in bf16.

    Of the two matrices of an adapter, vLLM splits one over tensor-parallel GPUs and copies the other.
    """
    if not adapters_rank:
        return 0.0
    hidden, attention, experts = model.hidden_size, model.attention, model.experts
    heads, kv_heads = attention.heads * attention.head_dim, attention.kv_heads * attention.head_dim
    queries = heads * (2 if attention.output_gate else 1)
    linear = attention.linear
    full_layers = model.layers - (linear.layers if linear else 0)
    widths = full_layers * (2 * hidden + queries + heads + 2 * (hidden + kv_heads))
    if linear is not None:
        keys, values = linear.key_heads * linear.head_dim, linear.value_heads * linear.head_dim
        widths += linear.layers * (2 * hidden + 2 * keys + 3 * values)
    widths += (model.layers - (experts.layers if experts else 0)) * 3 * (hidden + model.mlp_size)
    if experts is not None:
        widths += experts.layers * (experts.routed + experts.shared) * 3 * (hidden + experts.mlp_size)
    copies = (1 + 1 / tensor_parallel) / 2
    rows = len(adapters_rank) * max(adapters_rank)
    return widths * rows * 2 * copies * _stage_share(model, pipeline_parallel) / _GIB


def _encoder_activation_gib(model: Model) -> float:
    """Return the peak of one batch of sixteen images: bf16 inputs, projections and MLP of their patches."""
    if model.vision is None:
        return 0.0
    patches = 16 * model.vision.tokens_per_image * 4  # 2 x 2 patches make a token in every encoder listed
    return patches * 2 * (4 * model.vision.hidden_size + 3 * model.vision.mlp_size) / _GIB
