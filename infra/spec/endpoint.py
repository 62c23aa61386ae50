"""One served model behind one id: what an ML team writes in `stacks/<stack>/<name>.yaml`."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from infra.spec.base import (
    EXTENDS_TARGET,
    WEIGHTS,
    CatalogName,
    Complaint,
    FrozenMap,
    ModelName,
    Name,
    Person,
    Reason,
    Spec,
    repeated,
)
from infra.spec.quantities import Duration

Count = Annotated[int, Field(ge=0, le=100_000)]
TokensPerSecond = Annotated[int, Field(ge=0, le=1_000_000_000)]
Weights = Annotated[str, StringConstraints(pattern=WEIGHTS)]
ExtendsTarget = Annotated[str, StringConstraints(pattern=EXTENDS_TARGET)]
EngineArg = str | int | float | bool


MOST_PER_MINUTE = 2**32 - 1
"""Envoy's ratelimit counts in 32 bits."""


class FineTune(Spec):
    """A fine-tune of a catalog model: the architecture's facts come from its base."""

    name: CatalogName = Field(examples=["support-ft"])
    """What people call the fine-tune."""
    base: ModelName = Field(examples=["qwen3-32b"])
    """The catalog model it was trained from."""
    weights: Weights = Field(
        examples=["hf://acme/support-ft@1f3c", "s3://models/support-ft", "pvc://models/support-ft"]
    )
    """Where the weights are: a Hugging Face repository, an S3 prefix, or a volume claim and path."""


class Slo(Spec):
    """A latency promise by numbers; the largest tier that keeps it is chosen."""

    ttft_ms: float = Field(gt=0, examples=[1500])
    """Time to first token, at most, at the reference load."""
    tpot_ms: float = Field(gt=0, examples=[40])
    """Mean time per output token after the first, at most."""


class Purchase(Spec):
    """Reserved units bought for some months."""

    id: Name = Field(examples=["po-2026-17"])
    """The order's id, unique within the endpoint."""
    units: int = Field(gt=0, le=100_000)
    """Units bought; a multiple of the template's step."""
    start: date = Field(examples=["2026-11-01"])
    """The day of purchase: the units count from then on."""
    months: int = Field(ge=1, le=120)
    """Months paid for."""
    auto_renew: bool = False
    """Renew for the same number of months on the due day; without it the units are reclaimed."""


class Hourly(Spec):
    """Elastic units, paid by the second."""

    min: Count = 0
    """Units that are always on; a multiple of the step."""
    max: Count = 0
    """Units at peak; a multiple of the step."""


class Units(Spec):
    """How much dedicated capacity an endpoint has."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["reserved", "purchases"]}})

    reserved: Count | None = None
    """Units paid by the month and always on; or list the `purchases` instead."""
    purchases: tuple[Purchase, ...] = ()
    """Orders of reserved units, with the dates from which and until which they count."""
    hourly: Hourly | None = None
    """Bounds of the elastic units."""

    def complaints(self) -> Iterable[Complaint]:
        """Reserved units come from one source; orders are told apart by their ids."""
        if self.reserved is not None and self.purchases:
            yield ("purchases",), "write either reserved or purchases, not both"
        for index, name in repeated(purchase.id for purchase in self.purchases):
            yield ("purchases", index, "id"), f"'{name}' is used twice; every purchase has its own id"


class Throughput(Spec):
    """Hourly capacity asked for in tokens per second, input and output together."""

    min: TokensPerSecond = 0
    """Tokens/s that are always available; a multiple of the chunk."""
    max: TokensPerSecond
    """Tokens/s at peak; a multiple of the chunk."""


class Adapter(Spec):
    """A LoRA adapter, called as `<endpoint id>:<name>`."""

    name: Name = Field(examples=["tone"])
    """The adapter's name, unique within the endpoint."""
    source: Weights = Field(examples=["s3://loras/tone"])
    """Where the adapter's weights are."""
    rank: int = Field(gt=0, le=512, examples=[16])
    """The adapter's LoRA rank."""


class Features(Spec):
    """What callers need beyond plain chat; refused where the template cannot give it."""

    structured_output: bool = False
    """`response_format` of type json_object or json_schema, and every other constrained decoding."""
    responses_api: bool = False
    """The Responses API beside the Chat API."""
    context_cache: bool = False
    """The Context API (explicit caches). The transparent prefix cache is always on."""


class Moderation(Spec):
    """Content moderation of input and output; on unless switched off with a reason and a name."""

    enabled: bool = True
    """Whether inputs and outputs are judged."""
    reason: Reason | None = Field(default=None, examples=["internal evaluation only"])
    """Needed where moderation is off: why that is safe."""
    confirmed_by: Person | None = Field(default=None, examples=["a.lee"])
    """Needed where moderation is off: who answers for it."""


class KeyLimits(Spec):
    """What one endpoint accepts from one API key before it answers 429."""

    requests_per_minute: int | None = Field(default=None, gt=0, le=MOST_PER_MINUTE, examples=[60])
    """Requests begun in a minute; default: no limit of its own."""
    tokens_per_minute: int | None = Field(default=None, gt=0, le=MOST_PER_MINUTE, examples=[40_000])
    """Input and output tokens in a minute; default: no limit of its own."""
    concurrency: int | None = Field(default=None, gt=0, le=100_000, examples=[8])
    """Requests in flight; default: no limit of its own."""
    queue: int = Field(default=0, ge=0, le=100_000, examples=[4])
    """Requests that wait for one of the key's own to end; default: none, the next one gets 429 at once."""

    def complaints(self) -> Iterable[Complaint]:
        """Nothing waits where everything may run."""
        if self.queue and self.concurrency is None:
            yield ("queue",), "needs concurrency beside it: without a limit none of the key's requests waits"


class Limits(Spec):
    """What one endpoint accepts before it answers 429."""

    requests_per_minute: int | None = Field(default=None, gt=0, le=MOST_PER_MINUTE, examples=[600])
    """Requests begun in a minute; default: no limit."""
    tokens_per_minute: int | None = Field(default=None, gt=0, le=MOST_PER_MINUTE, examples=[400_000])
    """Input and output tokens in a minute; default: no limit."""
    concurrency: int | None = Field(default=None, gt=0, le=100_000, examples=[64])
    """Requests in flight; default: no limit."""
    queue: int = Field(default=1000, ge=1, le=100_000, examples=[200])
    """Requests that wait, for their turn or for the endpoint to wake."""
    per_key: KeyLimits = KeyLimits()
    """Limits of each API key."""


class Endpoint(Spec):
    """One LLM endpoint. The smallest is model, team, template and units."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"not": {"required": ["tier", "slo"]}},
                {
                    "not": {
                        "required": ["throughput", "units"],
                        "properties": {"units": {"required": ["hourly"]}},
                    }
                },
            ]
        }
    )

    extends: ExtendsTarget | None = Field(default=None, examples=["dev/chat"])
    """Start from another endpoint, `<stack>/<endpoint>`; a field here replaces that whole field there."""
    model: ModelName | FineTune = Field(examples=["qwen3-32b"])
    """A model of the catalog, or a fine-tune of one."""
    team: Name = Field(examples=["search"])
    """The team that owns the endpoint and whose quota it uses."""
    template: CatalogName = Field(examples=["h20-single"])
    """The deployment recipe: shape, machines, engine arguments and tiers."""
    tier: CatalogName | None = Field(default=None, examples=["fast"])
    """The latency promise, one of the template's tiers; default: the template's default tier."""
    slo: Slo | None = None
    """Instead of a tier: the latency you need."""
    units: Units = Units()
    """Reserved and hourly units."""
    throughput: Throughput | None = None
    """Instead of units.hourly: bounds in tokens/s."""
    sleep_after: Duration | None = Field(default=None, examples=["30m"])
    """Scale to zero after this long without a request; only where reserved + hourly.min is 0."""
    headroom: float = Field(default=1.0, ge=1, le=10, examples=[1.2])
    """Scale out this much earlier than the tier's concurrency would ask for."""
    adapters: tuple[Adapter, ...] = ()
    """LoRA adapters served beside the model."""
    features: Features = Features()
    """What callers need beyond plain chat."""
    moderation: Moderation = Moderation()
    """Content moderation: on by default."""
    limits: Limits = Limits()
    """Request, token and concurrency limits."""
    engine_args: FrozenMap[str, EngineArg] = Field(default={}, examples=[{"max-model-len": 32768}])
    """vLLM flags, by their exact names without the leading dashes; the one escape hatch."""

    def complaints(self) -> Iterable[Complaint]:
        """Of two ways to say the same, one is used; adapters are told apart by their names."""
        if self.tier is not None and self.slo is not None:
            yield ("slo",), "write either tier or slo, not both"
        if self.throughput is not None and self.units.hourly is not None:
            yield ("throughput",), "write either throughput or units.hourly, not both"
        for index, name in repeated(adapter.name for adapter in self.adapters):
            yield ("adapters", index, "name"), f"'{name}' is used twice; every adapter has its own name"
