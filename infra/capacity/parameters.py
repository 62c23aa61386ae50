"""Count a model's parameters by what happens to them when GPUs share the work."""

from dataclasses import dataclass

from infra.catalog.model import Attention, Model, Precision

_LINEAR_BITS: dict[Precision, float] = {"bf16": 16, "fp8": 8, "mxfp4": 16, "int4": 16}
_EXPERT_BITS: dict[Precision, float] = {
    "bf16": 16,
    "fp8": 8,
    "mxfp4": 4.25,  # 4 bits and one 8-bit scale per 32 weights: OCP Microscaling Formats 1.0, 2023-09
    "int4": 4.5,  # 4 bits and one 16-bit scale per 32 weights: group_size of Kimi-K2.5's config.json
}
_EMBEDDING_BITS = 16  # every published checkpoint in the catalog keeps embeddings and routers in bf16


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Numbers of parameters of the language model, without draft layers."""

    attention: int
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
    attention = model.layers * _attention_parameters(hidden, model.attention)
    return Parameters(attention=attention, mlp=mlp, experts=routed, embeddings=embeddings)


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
    counts = parameters(model)
    return Bytes(
        layers=(counts.attention + counts.mlp) * _LINEAR_BITS[as_held] / 8,
        experts=counts.experts * _EXPERT_BITS[as_held] / 8,
        embeddings=counts.embeddings * _EMBEDDING_BITS / 8,
        vision=model.vision.weights_gib * 2**30 if model.vision else 0.0,
    )


def _attention_parameters(hidden: int, attention: Attention) -> int:
    if attention.kind == "gqa":
        return 2 * hidden * attention.head_dim * (attention.heads + attention.kv_heads)
    query, keys = attention.q_lora_rank or 0, attention.kv_lora_rank or 0
    plain, rotary, value = (
        attention.qk_nope_head_dim or 0,
        attention.qk_rope_head_dim or 0,
        attention.v_head_dim or 0,
    )
    projections = (
        hidden * query
        + query * attention.heads * (plain + rotary)
        + hidden * (keys + rotary)
        + keys * attention.heads * (plain + value)
        + attention.heads * value * hidden
    )
    index_dim, index_heads = attention.index_head_dim or 0, attention.index_heads or 0
    return projections + hidden * (index_dim + index_heads) + query * index_heads * index_dim
