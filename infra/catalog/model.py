"""Facts about GPUs, machines, models and engines, as strict frozen values."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, TypeVar

from immutabledict import immutabledict
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, PlainSerializer

K = TypeVar("K")
V = TypeVar("V")


def _freeze(mapping: Mapping[K, V]) -> Mapping[K, V]:
    return immutabledict(mapping)


Frozen = Annotated[Mapping[K, V], AfterValidator(_freeze), PlainSerializer(dict)]
"""A mapping that cannot be changed."""

Precision = Literal["bf16", "fp8", "mxfp4", "nvfp4", "int4"]
"""How weights are published: the format that most of them have."""

Part = Literal["attention", "attention_output", "mlp"]
"""Weights that may be held in a precision of their own; the output projection goes with its attention."""

Compute = Literal["bf16", "fp8", "fp4", "int8"]


class Fact(BaseModel):
    """A frozen value read from the catalog; no unknown keys, no conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Source(Fact):
    """Where the values of some fields come from, and when they were true."""

    of: tuple[str, ...] = Field(min_length=1)
    """Names of the fields."""
    cite: str = Field(min_length=8)
    as_of: date


class Sourced(Fact):
    """A fact sheet whose every field has a source."""

    name: str
    sources: tuple[Source, ...] = Field(min_length=1)


class Gpu(Sourced):
    """A GPU model."""

    memory_gib: float = Field(gt=0)
    bandwidth_gb_per_s: float = Field(gt=0)
    tflops: Frozen[Compute, float]
    """Dense tensor-core rate by number format; a format that the GPU lacks is left out."""
    nvlink_gb_per_s: float | None = None
    """Sum of both directions; None where GPUs talk over PCIe."""


class InstanceType(Fact):
    """A cloud's name for a machine, with its public on-demand price where one may be passed on."""

    cloud: Literal["aws", "azure", "gcp", "volcengine"]
    type: str
    region: str
    hourly_usd: float | None = Field(default=None, gt=0)
    as_of: date
    source: str


class Machine(Sourced):
    """A type of GPU server."""

    gpu: str
    gpus: int = Field(ge=1)
    vcpus: int = Field(ge=1)
    memory_gib: float = Field(gt=0)
    network_gbit_per_s: float = Field(gt=0)
    instance_types: tuple[InstanceType, ...] = ()

    @property
    def hourly_usd(self) -> float | None:
        """Return the lowest public on-demand price, or None where there is none."""
        return min((t.hourly_usd for t in self.instance_types if t.hourly_usd is not None), default=None)


class LinearAttention(Fact):
    """Gated delta-net layers: they remember a state of fixed size, whatever the length of the sequence."""

    layers: int
    """Spread evenly among the layers with full attention."""
    key_heads: int
    value_heads: int
    head_dim: int
    """Of keys and of values."""
    conv_kernel: int
    """Tokens that the convolution before the state looks at."""


class Attention(Fact):
    """What the layers remember of each token."""

    kind: Literal["gqa", "mla"] = "gqa"
    heads: int
    kv_heads: int
    head_dim: int
    windowed_layers: int = 0
    """Layers that look back only `window_tokens`; the rest look back to the start."""
    window_tokens: int | None = None
    q_lora_rank: int | None = None
    kv_lora_rank: int | None = None
    """MLA: size of the compressed keys and values."""
    qk_nope_head_dim: int | None = None
    qk_rope_head_dim: int | None = None
    v_head_dim: int | None = None
    index_head_dim: int | None = None
    """Sparse attention: size of the indexer's key per token and layer."""
    index_heads: int | None = None
    index_layers: int | None = None
    """Layers with an indexer of their own; the others reuse its choice."""
    output_gate: bool = False
    """Whether queries bring a gate of their own size for the output."""
    linear: LinearAttention | None = None
    """The layers that have no attention over all tokens; every other field is of those that do."""


class Experts(Fact):
    """The experts of a mixture-of-experts layer."""

    routed: int
    active: int
    """Routed experts that each token visits."""
    shared: int = 0
    mlp_size: int
    layers: int
    """Layers that have experts; the rest have a dense MLP."""


class Vision(Fact):
    """The encoder that turns images into embeddings."""

    weights_gib: float
    layers: int
    hidden_size: int
    heads: int
    mlp_size: int
    tokens_per_image: int
    """Embeddings of a 1024 x 1024 image, as the language model sees them."""


class EngineConfig(Fact):
    """Keys of config.json that only the engine reads, by the place they stand in."""

    text: Frozen[str, JsonValue] = immutabledict()
    vision: Frozen[str, JsonValue] = immutabledict()
    top: Frozen[str, JsonValue] = immutabledict()


class Model(Sourced):
    """Weights and the facts of their architecture that sizing needs."""

    hf_id: str
    family: Literal["qwen", "llama", "deepseek", "gpt-oss", "glm", "kimi", "minimax", "mistral"]
    license: str
    architecture: str
    """The class that vLLM serves it with: `architectures` of config.json."""
    model_type: str
    text_model_type: str | None = None
    """`model_type` of the language part, where an encoder stands beside it."""
    precision: Precision
    precision_of: Frozen[Part, Precision] = immutabledict()
    """Parts that are published in another precision."""
    kv_cache: Literal["bf16", "fp8"] = "bf16"
    """What keys and values are kept in where `kv-cache-dtype` is auto: `kv_cache_scheme` of config.json."""
    parameters_b: float
    active_parameters_b: float
    weights_gib: float
    """What an engine holds in all its GPUs together, without copies and draft layers."""
    layers: int
    hidden_size: int
    mlp_size: int
    """Width of a dense MLP; unused where every layer has experts."""
    vocab_size: int
    max_context: int
    tied_embeddings: bool = False
    attention: Attention
    experts: Experts | None = None
    vision: Vision | None = None
    engine_config: EngineConfig = EngineConfig()

    @property
    def moe(self) -> bool:
        """Say whether tokens choose among experts."""
        return self.experts is not None

    @property
    def multimodal(self) -> bool:
        """Say whether it takes images."""
        return self.vision is not None

    @property
    def kind(self) -> str:
        """Return the word for people: dense or moe, and multimodal."""
        return ("moe" if self.moe else "dense") + (", multimodal" if self.multimodal else "")


class Flag(Fact):
    """One argument of the engine's command line."""

    takes: Literal["nothing", "value", "values"]
    negatable: bool = False
    """Whether `--no-<flag>` exists too."""
    choices: tuple[str | int | float | bool, ...] = ()
    aliases: tuple[str, ...] = ()


class EngineFlags(Sourced):
    """What one version of an engine accepts and reports."""

    version: str
    flags: Frozen[str, Flag]
    """By exact name, without the leading dashes."""
    metrics: tuple[str, ...]
    kv_connectors: tuple[str, ...]
    ec_connectors: tuple[str, ...]
    quantization_methods: tuple[str, ...]


class Catalog(Fact):
    """All facts, by name."""

    gpus: Frozen[str, Gpu]
    machines: Frozen[str, Machine]
    models: Frozen[str, Model]
    engines: Frozen[str, EngineFlags]
    """By version."""
