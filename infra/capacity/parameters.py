"""Count a model's parameters by what happens to them when GPUs share the work."""

from dataclasses import dataclass

from infra.catalog.model import Attention, LinearAttention, Model, Precision

# 4 bits and one 8-bit scale per 16 weights: NVIDIA, "Introducing NVFP4 for Efficient and Accurate
# Low-Precision Inference", 2025-06-24; group_size of every NVFP4 config.json in the catalog.
_NVFP4_BITS = 4.5
_LINEAR_BITS: dict[Precision, float] = {"bf16": 16, "fp8": 8, "mxfp4": 16, "nvfp4": _NVFP4_BITS, "int4": 16}
_EXPERT_BITS: dict[Precision, float] = {
    "bf16": 16,
    "fp8": 8,
    "mxfp4": 4.25,  # 4 bits and one 8-bit scale per 32 weights: OCP Microscaling Formats 1.0, 2023-09
    "nvfp4": _NVFP4_BITS,
    "int4": 4.5,  # 4 bits and one 16-bit scale per 32 weights: group_size of Kimi-K2.5's config.json
}
_EMBEDDING_BITS = 16  # every published checkpoint in the catalog keeps embeddings and routers in bf16


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Numbers of parameters of the language model, without draft layers."""

    attention: int
    """Projections of all layers, those of linear attention among them."""
    attention_output: int
    """Of `attention`: the projections back to the hidden size."""
    mlp: int
    """MLPs that every token passes: dense ones and shared experts."""
    experts: int
    """Routed experts, all of them."""
    embeddings: int
    """Input and output embeddings, and the routers that choose experts."""

    @property
    def total(self) -> int:
        """Return the number of all of them."""
        return self.attention + self.mlp + self.experts + self.embeddings


def parameters(model: Model) -> Parameters:
    """Count parameters from the shape of the architecture."""
    hidden, experts = model.hidden_size, model.experts
    dense_layers = model.layers - (experts.layers if experts else 0)
    mlp = dense_layers * 3 * hidden * model.mlp_size
    embeddings = model.vocab_size * hidden * (1 if model.tied_embeddings else 2)
    routed = 0
    if experts is not None:
        one_expert = 3 * hidden * experts.mlp_size
        mlp += experts.layers * experts.shared * one_expert
        routed = experts.layers * experts.routed * one_expert
        embeddings += experts.layers * experts.routed * hidden
    attention, output = _attention_parameters(model)
    return Parameters(
        attention=attention, attention_output=output, mlp=mlp, experts=routed, embeddings=embeddings
    )


def active_parameters(model: Model) -> float:
    """Return how many parameters one token meets."""
    counts = parameters(model)
    return counts.total - counts.experts + counts.experts * active_share(model, 1)


def active_share(model: Model, tokens: float) -> float:
    """Return the share of the routed experts that a batch of tokens wakes, chosen evenly."""
    if model.experts is None:
        return 1.0
    return float(1 - (1 - model.experts.active / model.experts.routed) ** tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """Bytes of weights by what happens to them when GPUs share the work."""

    layers: float
    """Attention and MLPs of all layers: split by tensor and pipeline parallelism."""
    experts: float
    """Routed experts: split by data parallelism too."""
    embeddings: float
    """At the ends of the pipeline."""
    vision: float
    """The encoder, beside the language model."""

    @property
    def total(self) -> float:
        """Return the bytes of the whole model, held once."""
        return self.layers + self.experts + self.embeddings + self.vision


def weight_bytes(model: Model, precision: Precision | None = None) -> Bytes:
    """Return the bytes of a model's weights, in their published precision or another one."""
    as_held = precision or model.precision
    parts = {} if precision else model.precision_of
    attention, mlp = parts.get("attention", as_held), parts.get("mlp", as_held)
    output = parts.get("attention_output", attention)
    counts = parameters(model)
    layers = (
        (counts.attention - counts.attention_output) * _LINEAR_BITS[attention]
        + counts.attention_output * _LINEAR_BITS[output]
        + counts.mlp * _LINEAR_BITS[mlp]
    )
    return Bytes(
        layers=layers / 8,
        experts=counts.experts * _EXPERT_BITS[as_held] / 8,
        embeddings=counts.embeddings * _EMBEDDING_BITS / 8,
        vision=model.vision.weights_gib * 2**30 if model.vision else 0.0,
    )


def _attention_parameters(model: Model) -> tuple[int, int]:
    """Return those of all layers' attention, and of them the output projections'."""
    attention = model.attention
    linear_layers, linear, linear_output = 0, 0, 0
    if attention.linear is not None:
        linear_layers = attention.linear.layers
        linear, linear_output = _linear_parameters(model.hidden_size, attention.linear)
    full, output = _full_parameters(model.hidden_size, attention)
    full_layers = model.layers - linear_layers
    return full_layers * full + linear_layers * linear, full_layers * output + linear_layers * linear_output


def _linear_parameters(hidden: int, linear: LinearAttention) -> tuple[int, int]:
    """Return those of one gated delta-net layer: Qwen3NextGatedDeltaNet in Hugging Face's transformers.

    Queries, keys, values and a gate; two factors a head; a convolution over the first three.
    """
    keys, values = linear.key_heads * linear.head_dim, linear.value_heads * linear.head_dim
    output = values * hidden
    inputs = hidden * (2 * keys + 2 * values + 2 * linear.value_heads)
    return inputs + (2 * keys + values) * linear.conv_kernel + output, output


def _full_parameters(hidden: int, attention: Attention) -> tuple[int, int]:
    if attention.kind == "gqa":
        output = hidden * attention.head_dim * attention.heads
        queries = output * (2 if attention.output_gate else 1)
        return queries + 2 * hidden * attention.head_dim * attention.kv_heads + output, output
    query, keys = attention.q_lora_rank or 0, attention.kv_lora_rank or 0
    plain, rotary, value = (
        attention.qk_nope_head_dim or 0,
        attention.qk_rope_head_dim or 0,
        attention.v_head_dim or 0,
    )
    output = attention.heads * value * hidden
    projections = (
        hidden * query
        + query * attention.heads * (plain + rotary)
        + hidden * (keys + rotary)
        + keys * attention.heads * (plain + value)
        + output
    )
    index_dim, index_heads = attention.index_head_dim or 0, attention.index_heads or 0
    return projections + hidden * (index_dim + index_heads) + query * index_heads * index_dim, output
