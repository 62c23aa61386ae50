"""A named recipe: shape, roles, machines, engine arguments and tiers. Written in `templates/<name>.yaml`."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Literal

from immutabledict import immutabledict
from pydantic import ConfigDict, Field, JsonValue

from infra.spec.base import CatalogName, Complaint, FrozenMap, Image, Spec
from infra.spec.endpoint import EngineArg
from infra.spec.quantities import Duration, MemoryGib

Shape = Literal["single", "prefill-decode", "encode-prefill-decode"]
RoleName = Literal["serve", "encode", "prefill", "decode"]
Feature = Literal["structured_output", "responses_api", "context_cache"]
Label = Literal["measured", "calibrated", "estimated", "extrapolated"]
ParallelSize = Annotated[int, Field(ge=1, le=1024)]

ROLES_OF_SHAPE: Mapping[Shape, tuple[RoleName, ...]] = immutabledict(
    {
        "single": ("serve",),
        "prefill-decode": ("prefill", "decode"),
        "encode-prefill-decode": ("encode", "prefill", "decode"),
    }
)
JOINTS: Mapping[str, tuple[Shape, ...]] = immutabledict(
    {
        "kv_transfer": ("prefill-decode", "encode-prefill-decode"),
        "ec_transfer": ("encode-prefill-decode",),
        "router": ("prefill-decode", "encode-prefill-decode"),
    }
)
"""What joins the roles of a template, and the shapes that need it; others cannot have it."""


class Engine(Spec):
    """The inference engine, pinned."""

    name: Literal["vllm"]
    """The engine."""
    version: str = Field(examples=["0.32.0"])
    """The engine's version, whose flags and metrics are checked."""
    image: Image = Field(examples=["vllm/vllm-openai:v0.32.0"])
    """The container image of that version."""


class Role(Spec):
    """What an engine instance does, and on what."""

    machine: CatalogName = Field(examples=["h20-8"])
    """The type of GPU server."""
    count: int = Field(default=1, ge=1, le=1024)
    """Instances of this role in one group."""
    tensor_parallel: ParallelSize = 1
    """GPUs that share every layer."""
    pipeline_parallel: ParallelSize = 1
    """Stages that the layers are divided into."""
    data_parallel: ParallelSize = 1
    """Copies of the attention layers behind one instance."""
    args: FrozenMap[str, EngineArg] = Field(default={}, examples=[{"max-num-seqs": 256}])
    """vLLM flags of this role, by their exact names without the leading dashes."""


class KvTransfer(Spec):
    """How the KV cache travels from prefill to decode."""

    connector: str = Field(examples=["NixlConnector"])
    """A KV connector registered in the pinned vLLM."""


class EcTransfer(Spec):
    """How encoder outputs travel from encode to prefill."""

    connector: str = Field(examples=["ECExampleConnector"])
    """An encoder-cache connector registered in the pinned vLLM."""


class Router(Spec):
    """The request router in front of disaggregated roles."""

    image: Image = Field(examples=["vllm/vllm-router:v0.1.17"])
    """The router's container image, pinned by version."""


class Performance(Spec):
    """What one group does at a tier, at the reference load (3000 in, 300 out, cache hit 0)."""

    ttft_ms: float = Field(gt=0)
    """Time to first token that the tier promises."""
    tpot_ms: float = Field(gt=0)
    """Mean time per output token after the first that the tier promises."""
    concurrency: int = Field(gt=0)
    """Requests in flight that one group holds at this latency."""
    tps: float = Field(gt=0)
    """Input + output tokens per second of one group."""
    label: Label
    """How the numbers came to be."""
    source: str = Field(min_length=4)
    """Where the numbers come from."""


def _schema_of_shape(shape: Shape) -> JsonValue:
    joined = [name for name, shapes in JOINTS.items() if shape in shapes]
    absent = [name for name in JOINTS if name not in joined]
    roles = ROLES_OF_SHAPE[shape]
    return {
        "if": {"required": ["shape"], "properties": {"shape": {"const": shape}}},
        "then": {
            "required": [*joined],
            "properties": {
                "roles": {"required": [*roles], "propertyNames": {"enum": [*roles]}},
                **{name: {"type": "null"} for name in absent},
            },
        },
    }


class Template(Spec):
    """A deployment recipe that endpoints name."""

    model_config = ConfigDict(json_schema_extra={"allOf": [_schema_of_shape(one) for one in ROLES_OF_SHAPE]})

    description: str = Field(min_length=8)
    """What the recipe is for, in a sentence."""
    shape: Shape
    """single, or prefill and decode (and encode) apart, each on its own machines."""
    engine: Engine
    """The inference engine, pinned."""
    roles: FrozenMap[RoleName, Role] = Field(examples=[{"serve": {"machine": "h20-8", "tensor_parallel": 2}}])
    """The roles of the shape: serve; or prefill and decode; or encode, prefill and decode."""
    groups_per_step: int = Field(default=1, ge=1, le=64)
    """Groups that are bought and scaled together."""
    kv_transfer: KvTransfer | None = None
    """Needed where prefill and decode are apart: how the KV cache travels."""
    ec_transfer: EcTransfer | None = None
    """Needed where encode is apart: how encoder outputs travel."""
    router: Router | None = None
    """Needed where roles are apart: what routes a request through them."""
    startup_timeout: Duration = Field(default=timedelta(minutes=60), examples=["90m"])
    """How long scheduling, image and weight loading may take before a deployment fails; default 60m."""
    drain_timeout: Duration = Field(default=timedelta(minutes=30), examples=["10m"])
    """How long a stopping instance may finish its streams; default 30m."""
    weights_cache: MemoryGib | None = Field(default=None, examples=["2TiB"])
    """Size of the node-local weights cache; default: sized from the model's weights."""
    unsupported_features: tuple[Feature, ...] = ()
    """Features that endpoints of this template cannot have."""
    default_tier: CatalogName = Field(examples=["balanced"])
    """The tier of endpoints that name none; every model of the performance table has it."""
    performance: FrozenMap[CatalogName, FrozenMap[CatalogName, Performance]]
    """Per model and tier, for one group."""

    def complaints(self) -> Iterable[Complaint]:
        """Roles and what joins them are those of the shape; every model has the default tier."""
        needed = ROLES_OF_SHAPE[self.shape]
        if set(self.roles) != set(needed):
            yield (
                ("roles",),
                f"shape {self.shape} has the roles {', '.join(needed)}, got {', '.join(self.roles)}",
            )
        for name, shapes in JOINTS.items():
            if self.shape in shapes and getattr(self, name) is None:
                yield ("shape",), f"{self.shape} needs {name}"
            if self.shape not in shapes and getattr(self, name) is not None:
                yield (name,), f"shape {self.shape} cannot have {name}"
        for model, tiers in self.performance.items():
            if self.default_tier not in tiers:
                yield ("performance", model), f"lacks the default tier {self.default_tier}"
