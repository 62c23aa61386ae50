"""A named recipe: shape, roles, machines, engine arguments and tiers. Written in `templates/<name>.yaml`."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from infra.spec.base import WORD, CatalogName, FrozenMap, Spec
from infra.spec.endpoint import EngineArg
from infra.spec.quantities import Duration, MemoryGib

Shape = Literal["single", "prefill-decode", "encode-prefill-decode"]
RoleName = Literal["serve", "encode", "prefill", "decode"]
Feature = Literal["structured_output", "responses_api", "context_cache"]
Label = Literal["measured", "calibrated", "estimated", "extrapolated"]
ParallelSize = Annotated[int, Field(ge=1, le=1024)]
Image = Annotated[str, StringConstraints(pattern=WORD)]

ROLES_OF_SHAPE: dict[Shape, tuple[RoleName, ...]] = {
    "single": ("serve",),
    "prefill-decode": ("prefill", "decode"),
    "encode-prefill-decode": ("encode", "prefill", "decode"),
}


class Engine(Spec):
    """The inference engine, pinned."""

    name: Literal["vllm"]
    version: str = Field(examples=["0.32.0"])
    image: Image = Field(examples=["vllm/vllm-openai:v0.32.0"])


class Role(Spec):
    """What an engine instance does, and on what."""

    machine: CatalogName = Field(examples=["h20-8"])
    """The type of GPU server."""
    count: int = Field(default=1, ge=1, le=1024)
    """Instances of this role in one group."""
    tensor_parallel: ParallelSize = 1
    pipeline_parallel: ParallelSize = 1
    data_parallel: ParallelSize = 1
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

    image: Image


class Performance(Spec):
    """What one group does at a tier, at the reference load (3000 in, 300 out, cache hit 0)."""

    ttft_ms: float = Field(gt=0)
    tpot_ms: float = Field(gt=0)
    concurrency: int = Field(gt=0)
    """Requests in flight that one group holds at this latency."""
    tps: float = Field(gt=0)
    """Input + output tokens per second of one group."""
    label: Label
    """How the numbers came to be."""
    source: str = Field(min_length=4)
    """Where the numbers come from."""


class Template(Spec):
    """A deployment recipe that endpoints name."""

    description: str = Field(min_length=8)
    shape: Shape
    engine: Engine
    roles: FrozenMap[RoleName, Role]
    groups_per_step: int = Field(default=1, ge=1, le=64)
    """Groups that are bought and scaled together."""
    kv_transfer: KvTransfer | None = None
    ec_transfer: EcTransfer | None = None
    router: Router | None = None
    startup_timeout: Duration = timedelta(minutes=60)
    """How long scheduling, image and weight loading may take before a deployment fails; default 60m."""
    drain_timeout: Duration = timedelta(minutes=30)
    """How long a stopping instance may finish its streams; default 30m."""
    weights_cache: MemoryGib | None = Field(default=None, examples=["2TiB"])
    """Size of the node-local weights cache; default: sized from the model's weights."""
    unsupported_features: tuple[Feature, ...] = ()
    """Features that endpoints of this template cannot have."""
    default_tier: CatalogName
    performance: FrozenMap[CatalogName, FrozenMap[CatalogName, Performance]]
    """Per model and tier, for one group."""

    @model_validator(mode="after")
    def _shape_and_roles_agree(self) -> Self:
        needed = ROLES_OF_SHAPE[self.shape]
        if set(self.roles) != set(needed):
            raise PydanticCustomError(
                "roles",
                "shape {shape} needs the roles {needed}, got {got}",
                {"shape": self.shape, "needed": ", ".join(needed), "got": ", ".join(self.roles)},
            )
        for key, value, wanted in (
            ("kv_transfer", self.kv_transfer, self.shape != "single"),
            ("router", self.router, self.shape != "single"),
            ("ec_transfer", self.ec_transfer, self.shape == "encode-prefill-decode"),
        ):
            if (value is not None) != wanted:
                verb = "needs" if wanted else "cannot have"
                raise PydanticCustomError("shape", f"shape {self.shape} {verb} {key}")
        return self

    @model_validator(mode="after")
    def _default_tier_is_known(self) -> Self:
        for model, tiers in self.performance.items():
            if self.default_tier not in tiers:
                raise PydanticCustomError(
                    "tier",
                    "performance.{model} lacks the default tier {tier}",
                    {"model": model, "tier": self.default_tier},
                )
        return self
