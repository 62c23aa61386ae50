"""The words everyone shares: label keys, type tokens, resource names, metric names."""

from hashlib import sha256

DOMAIN = "modelunits.dev"
"""Prefix of every label, annotation and taint key of ours."""

FLEET = "modelunits:index:Fleet"
GATEWAY_TYPE = "modelunits:index:Gateway"
NODE_POOL = "modelunits:index:NodePool"
TEAM = "modelunits:index:Team"
ENDPOINT = "modelunits:index:Endpoint"
"""Type tokens of our Pulumi components."""

LABEL_STACK = f"{DOMAIN}/stack"
LABEL_TEAM = f"{DOMAIN}/team"
LABEL_ENDPOINT = f"{DOMAIN}/endpoint"
LABEL_ROLE = f"{DOMAIN}/role"
LABEL_BILLING = f"{DOMAIN}/billing"
LABEL_MACHINE = f"{DOMAIN}/machine"
LABEL_POOL = f"{DOMAIN}/pool"

LABEL_CALLERS = f"{DOMAIN}/callers"
"""Pods of namespaces with this label, set to `true`, may call the gateway; engines, where there is none."""

TAINT_POOL = f"{DOMAIN}/pool"
"""Taint on every node of ours: only workloads bought for that pool may land there."""

TAINT_GPU = "nvidia.com/gpu"
"""Taint key that GPU nodes carry by convention; also the name of the GPU resource."""

GPU_RESOURCE = "nvidia.com/gpu"

ENGINE_PORT = 8000
"""Where engines and routers listen."""

GATEWAY = "gateway"
"""The name of the gateway's objects, and of what belongs to it, in its namespace."""

ROUTER_REPLICAS = 2
"""Routers in front of an endpoint's engines: one may go while a machine is drained. They need no GPU."""

ROUTER_IMAGE = "vllm/vllm-router:v0.1.17"
"""The router of endpoints whose template names none; templates for disaggregated roles name the same."""

MODEL_PATH = "/weights/model"
"""Where weights of a volume claim are mounted in an engine's container."""

ADAPTERS_PATH = "/adapters"
"""Holds a folder per LoRA adapter, by its name, whatever its source."""

TRANSFER_PATH = "/transfer"
"""The volume that all roles of an endpoint share, for connectors that hand over through a file system."""


def endpoint_id(project: str, stack: str, name: str) -> str:
    """Return the id that callers send as `model`: stable, unique, a valid DNS label."""
    digest = sha256(f"{project}/{stack}/{name}".encode()).hexdigest()
    return f"ep-{name}-{digest[:6]}"


def namespace(stack: str, team: str) -> str:
    """Return the namespace of a team in a stack."""
    return f"{stack}-{team}"


def gateway_namespace(stack: str) -> str:
    """Return the namespace of a stack's gateway."""
    return f"modelunits-{stack}"


def node_pool_name(stack: str, machine: str, billing: str) -> str:
    """Return the cluster-wide name of the node pool of one machine and billing in a stack."""
    return f"{stack}-{machine}-{billing}"


def service_name(endpoint: str, role: str) -> str:
    """Return the name of the Service, and of what belongs to it, for a role of an endpoint."""
    return f"{endpoint}-{role}"


def workload_name(endpoint: str, role: str, billing: str) -> str:
    """Return the name of the Deployment or LeaderWorkerSet of a role's reserved or hourly units."""
    return f"{endpoint}-{role}-{billing}"
