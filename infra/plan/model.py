"""What will exist: the plan's nouns, as frozen values. Nothing here decides."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

Billing = Literal["reserved", "hourly"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """How many units an endpoint has: always on by the month, and elastic between bounds."""

    reserved: int
    hourly_min: int
    hourly_max: int

    @property
    def min(self) -> int:
        """Units that are always on."""
        return self.reserved + self.hourly_min

    @property
    def max(self) -> int:
        """Units at peak."""
        return self.reserved + self.hourly_max


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """Engine instances of one role, by billing."""

    reserved: int
    hourly_min: int
    hourly_max: int

    @property
    def min(self) -> int:
        """Instances that always run."""
        return self.reserved + self.hourly_min

    @property
    def max(self) -> int:
        """Instances at peak."""
        return self.reserved + self.hourly_max


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """GPU memory of one role, on each GPU of an instance."""

    weights_gib: float
    kv_gib: float
    adapters_gib: float
    overhead_gib: float
    needed_gib: float
    available_gib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineArgFact:
    """One vLLM flag that a person wrote, held against the pinned version's flags."""

    name: str
    written_in: str
    """`engine_args` of the endpoint, or `roles.<role>.args` of the template."""
    known: bool
    nearest: str | None
    owned_by: str | None
    """The spec field that decides this flag, where Model Units owns it."""
    problem: str | None
    """Why the value cannot be this flag's, where that is certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolePlan:
    """One role of an endpoint: how big an instance is, how many there are, how it starts."""

    name: str
    machine: str
    gpu: str
    gpus: int
    """GPUs of one instance."""
    gpus_per_machine: int
    machines_per_instance: int
    """1, or the whole machines that an instance spans."""
    instances_per_machine: int
    """0 where an instance spans machines."""
    count: int
    """Instances in one group."""
    tensor_parallel: int
    pipeline_parallel: int
    data_parallel: int
    layers: int
    attention_heads: int
    kv_heads: int
    mla: bool
    """The model shares one latent KV over all heads, so parallel sizes of roles need not match."""
    vcpus_per_machine: int
    memory_gib_per_machine: float
    replicas: Replicas
    memory: Memory
    args: tuple[str, ...]
    """The vLLM argument list after `vllm serve`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """The latency promise, and what one group and one step do at it."""

    name: str
    ttft_ms: float
    tpot_ms: float
    concurrency_per_group: int
    tps_per_step: float
    tps_per_unit: float
    label: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Bounds in tokens/s as written, and the chunk that they must be multiples of."""

    min_tps: int
    max_tps: int
    chunk_tps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """An order of reserved units, with the instants (ISO 8601, environment's time zone) that bound it."""

    id: str
    units: int
    start: date
    auto_renew: bool
    expires_at: str
    reclaimed_at: str
    counts: bool
    """Whether the units count on the plan's date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """When hourly units come and go. Groups are whole groups; all roles follow the same count."""

    concurrency_per_group: float
    """Requests in flight at which one group is full: the tier's concurrency ÷ headroom."""
    reserved_groups: int
    groups_per_step: int
    min_groups: int
    max_groups: int
    sleep_after_seconds: int | None
    """Idle time before an endpoint whose minimum is 0 sleeps; None where it never sleeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Money, at the environment's prices. None where a machine of the endpoint has no price."""

    currency: str
    reserved_monthly: float | None
    hourly_min: float | None
    hourly_max: float | None
    per_million_tokens: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A LoRA adapter that is served beside the model."""

    name: str
    source: str
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderation:
    """Whether inputs and outputs are judged, and who confirmed it where they are not."""

    enabled: bool
    reason: str | None
    confirmed_by: str | None
    judges: tuple[str, ...]
    """Kinds of judges: `words`, `patterns`, `url`, `guard`. None where there is no gateway to ask them."""
    media: bool
    """The model reads images, sounds or films too, which no judge does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """What the endpoint accepts from one API key."""

    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrency: int | None
    queue: int
    """Requests that wait for one of the key's own to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the endpoint accepts before callers are told to wait."""

    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrency: int | None
    queue: int
    """Requests that wait, for their turn or for the endpoint to wake."""
    per_key: KeyLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPlan:
    """One endpoint, with every blank filled."""

    name: str
    id: str
    file: str
    """The file that says so; rules name it."""
    team: str
    namespace: str
    model: str
    base_model: str
    """The catalog model whose architecture it has."""
    weights: str
    """hf://, s3:// or pvc:// reference."""
    weights_gib: float
    template: str
    shape: str
    engine_version: str
    image: str
    router_image: str | None
    kv_connector: str | None
    ec_connector: str | None
    tier: Tier
    step: int
    groups_per_step: int
    units: Units
    throughput: Throughput | None
    purchases: tuple[Purchase, ...]
    roles: tuple[RolePlan, ...]
    scaling: Scaling
    cost: Cost
    adapters: tuple[Adapter, ...]
    features: tuple[str, ...]
    """What callers need: those that are true in the spec."""
    unsupported_features: tuple[str, ...]
    moderation: Moderation
    limits: Limits
    engine_args: tuple[EngineArgFact, ...]
    url: str
    """What callers use as the base URL."""
    upstream: str
    """The host and port inside the cluster that takes the endpoint's requests."""
    request_timeout_seconds: int
    """How long one request may take, from its last byte in to its last byte out."""
    startup_timeout_seconds: int
    """The cold-start limit: how long a request to a sleeping endpoint is held."""
    drain_timeout_seconds: int
    weights_cache_gib: float

    @property
    def gpus_min(self) -> int:
        """GPUs that are always on."""
        return sum(role.gpus * role.replicas.min for role in self.roles)

    @property
    def gpus_max(self) -> int:
        """GPUs at peak."""
        return sum(role.gpus * role.replicas.max for role in self.roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePoolPlan:
    """The machines of one type and billing."""

    name: str
    machine: str
    billing: Billing
    machines_min: int
    machines_max: int
    gpus_per_machine: int
    instance_types: tuple[str, ...]
    node_class_group: str | None
    node_class_kind: str | None
    node_class_name: str | None
    """None where nodes are there already."""

    @property
    def gpus_max(self) -> int:
        """GPUs at peak."""
        return self.machines_max * self.gpus_per_machine


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaUse:
    """Units of a machine that a team reaches at peak, and may reach."""

    team: str
    machine: str
    used: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineUse:
    """Machines of one type at peak, and the environment's bounds."""

    machine: str
    peak: int
    max: int
    reserved_used: int
    reserved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamPlan:
    """A team's namespace and what its pods may ask for at peak."""

    name: str
    namespace: str
    gpus_max: int
    pods_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A guard model that an endpoint of the stack serves."""

    endpoint_id: str
    upstream: str
    flags: str
    """A regular expression; text is refused where it is found in the guard's answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """Who judges inputs and outputs; what one refuses is refused."""

    words: tuple[str, ...]
    patterns: tuple[str, ...]
    url: str | None
    guard: Guard | None
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlan:
    """The door in front of every endpoint of a stack."""

    namespace: str
    image: str
    """Has the moderator, the limiter, and what brings keys over."""
    host: str | None
    """The name that callers use; None: only the address inside the cluster."""
    url: str
    """What callers use as the base URL."""
    replicas: int
    tls_secret: str | None
    """The Secret with the certificate; None: plain HTTP."""
    issuer_kind: str | None
    issuer_name: str | None
    """The cert-manager issuer that fills the Secret; None where the platform team keeps it."""
    parent_namespace: str | None
    parent_name: str | None
    """The Gateway API Gateway in front; None where there is none."""
    drain_timeout_seconds: int
    """As long as the longest request may take, a cold start before it included."""
    judges: Judges | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The stack's sums."""

    endpoints: int
    units_min: int
    units_max: int
    gpus_min: int
    gpus_max: int
    machines_min: int
    machines_max: int
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """A rule that does not bind an endpoint until a day has passed."""

    rule: str
    endpoint: str
    reason: str
    owner: str
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that will exist for one stack."""

    project: str
    stack: str
    context: str | None
    cluster_identifier: str
    nodes: Literal["karpenter", "existing"]
    gateway: GatewayPlan | None
    """None: nothing of ours stands in front of the endpoints."""
    prometheus_url: str
    """Where autoscalers ask for the load."""
    endpoints: tuple[EndpointPlan, ...]
    node_pools: tuple[NodePoolPlan, ...]
    teams: tuple[TeamPlan, ...]
    quotas: tuple[QuotaUse, ...]
    machines: tuple[MachineUse, ...]
    exemptions: tuple[Exemption, ...]
    totals: Totals
