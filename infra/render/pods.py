"""The pod of an engine: where it runs, what it may, how it starts and stops."""

from collections.abc import Sequence
from math import ceil, floor

from infra import names
from infra.plan.model import Billing, EndpointPlan, RolePlan
from infra.render import weights
from infra.render.gateway.refusals import MOST_CHOICES
from infra.render.gateway.routes import STRUCTURED_OUTPUT_FEATURE
from infra.render.manifest import (
    ENGINE,
    Json,
    JsonObject,
    endpoint_labels,
)
from infra.render.team import ENGINE_ACCOUNT

ENGINE_USER = 2000
"""The user `vllm` of vLLM's image (vllm-project/vllm, pull request 40275). PyTorch asks for its user's name,
and fails at import where the image knows none."""

CACHE_PATH = "/cache"

SHARE_OF_MACHINE = 0.9
"""The rest is for the kubelet, the GPU driver's pods and logging."""

SHARED_MEMORY_GIB = 8
"""Processes of one engine pass tensors through /dev/shm; the container default of 64 MiB fails."""

PROBE_SECONDS = 10

ENDPOINTS_SETTLE_SECONDS = 15
"""How long requests may still arrive after a pod was told to stop: every node has to learn of it."""

STOP_SECONDS = 45
"""What an engine needs to end once its last stream has ended."""

KV_PORT = 5600
"""Where NIXL tells its peers how to reach its memory; vLLM's own default."""


def workload_labels(endpoint: EndpointPlan, role: RolePlan, billing: Billing, stack: str) -> dict[str, str]:
    """Return the labels of a workload and of its pods."""
    return {
        **endpoint_labels(endpoint, stack, name=ENGINE, component=role.name),
        names.LABEL_ROLE: role.name,
        names.LABEL_BILLING: billing,
        names.LABEL_MACHINE: role.machine,
    }


def engine_args(endpoint: EndpointPlan, role: RolePlan) -> list[str]:
    """Return the arguments of `vllm serve`, with how long it may finish its streams when told to stop."""
    return [*map(literal, role.args), f"--shutdown-timeout={endpoint.drain_timeout_seconds}"]


def literal(argument: str) -> str:
    """Return an argument so that Kubernetes passes it on as it was written.

    Why: it would put environment variables, tokens among them, in place of $(NAME).
    """
    return argument.replace("$", "$$")


def pod_template(
    endpoint: EndpointPlan,
    role: RolePlan,
    billing: Billing,
    stack: str,
    *,
    args: Sequence[str],
    further_machine: JsonObject | None = None,
    affinity: JsonObject | None = None,
) -> JsonObject:
    """Return the pod of an engine; a further machine of an instance takes no requests."""
    pool = names.node_pool_name(stack, role.machine, billing)
    grace = ENDPOINTS_SETTLE_SECONDS + endpoint.drain_timeout_seconds + STOP_SECONDS
    fetches = [
        _fetch_container(endpoint, role, name, command) for name, command in weights.fetches(endpoint, role)
    ]
    return {
        "metadata": {"labels": workload_labels(endpoint, role, billing, stack)},
        "spec": {
            "serviceAccountName": ENGINE_ACCOUNT,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": pod_security(ENGINE_USER),
            "terminationGracePeriodSeconds": grace,
            "nodeSelector": {names.LABEL_POOL: pool},
            **({"affinity": affinity} if affinity else {}),
            "tolerations": [
                {"key": names.TAINT_POOL, "operator": "Equal", "value": pool, "effect": "NoSchedule"},
                {"key": names.TAINT_GPU, "operator": "Exists", "effect": "NoSchedule"},
            ],
            **({"initContainers": fetches} if fetches else {}),
            "containers": [_engine_container(endpoint, role, args, further_machine)],
            "volumes": [
                {"name": "cache", "emptyDir": {"sizeLimit": f"{ceil(endpoint.weights_cache_gib)}Gi"}},
                {"name": "tmp", "emptyDir": {}},
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": f"{SHARED_MEMORY_GIB}Gi"}},
                *weights.volumes(endpoint, role),
            ],
        },
    }


def pod_security(user: int) -> JsonObject:
    """Return what Kubernetes' restricted profile asks of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


CONTAINER_SECURITY: JsonObject = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def _engine_container(
    endpoint: EndpointPlan, role: RolePlan, args: Sequence[str], further_machine: JsonObject | None
) -> JsonObject:
    return {
        "name": ENGINE,
        "image": endpoint.image,
        "command": ["vllm", "serve"],
        "args": list(args),
        "env": _environment(endpoint, role),
        **_environment_from(endpoint, role),
        **({"lifecycle": further_machine} if further_machine else _serving(endpoint)),
        "resources": _resources(role),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            *_own_mounts(),
            {"name": "shm", "mountPath": "/dev/shm"},
            *weights.mounts(endpoint, role),
        ],
    }


def _fetch_container(endpoint: EndpointPlan, role: RolePlan, name: str, command: Sequence[str]) -> JsonObject:
    return {
        "name": name,
        "image": endpoint.image,
        "command": [literal(argument) for argument in command],
        "env": [*_home(), *weights.environment(endpoint, role)],
        **_environment_from(endpoint, role),
        "resources": {
            "requests": {"cpu": "500m", "memory": "1Gi"},
            "limits": {"memory": "2Gi"},
        },
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [*_own_mounts(), {"name": "adapters", "mountPath": names.ADAPTERS_PATH}],
    }


def _own_mounts() -> list[JsonObject]:
    """Return the folders that programs write to beside the read-only root."""
    return [{"name": "cache", "mountPath": CACHE_PATH}, {"name": "tmp", "mountPath": "/tmp"}]


def _serving(endpoint: EndpointPlan) -> JsonObject:
    """Return the port and the probes of an engine that takes requests.

    Why a long start hides no crash: an engine that fails ends, and the kubelet restarts it at once.
    """
    health: JsonObject = {"httpGet": {"path": "/health", "port": "http"}}
    return {
        "ports": [{"name": "http", "containerPort": names.ENGINE_PORT, "protocol": "TCP"}],
        "startupProbe": {
            **health,
            "periodSeconds": PROBE_SECONDS,
            "timeoutSeconds": 5,
            "failureThreshold": ceil(endpoint.startup_timeout_seconds / PROBE_SECONDS),
        },
        # A minute without an answer: the server's own process answers even while the GPUs are busy.
        "livenessProbe": {
            **health,
            "periodSeconds": PROBE_SECONDS,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
        "readinessProbe": {**health, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
        # The engine is told to stop only when no node sends requests any more; then it finishes its streams.
        "lifecycle": {"preStop": {"sleep": {"seconds": ENDPOINTS_SETTLE_SECONDS}}},
    }


def _resources(role: RolePlan) -> JsonObject:
    """Return the instance's share of its machine.

    Why a limit on memory and none on CPU: a leak should end its own pod, not its neighbours; throttling an
    engine's scheduler loop idles GPUs.
    """
    gpus = role.gpus // role.machines_per_instance
    share = SHARE_OF_MACHINE * gpus / role.gpus_per_machine
    memory = f"{floor(share * role.memory_gib_per_machine * 1024)}Mi"
    return {
        "requests": {
            "cpu": f"{floor(share * role.vcpus_per_machine * 1000)}m",
            "memory": memory,
            names.GPU_RESOURCE: str(gpus),
        },
        "limits": {"memory": memory, names.GPU_RESOURCE: str(gpus)},
    }


def _environment(endpoint: EndpointPlan, role: RolePlan) -> list[JsonObject]:
    own_address: JsonObject = {"fieldRef": {"fieldPath": "status.podIP"}}
    found = [*_home(), *_second_lock(endpoint), *weights.environment(endpoint, role)]
    if role.machines_per_instance > 1:
        found.append({"name": "VLLM_HOST_IP", "valueFrom": own_address})
    if any(argument.startswith("--kv-transfer-config") for argument in role.args):
        found += [
            {"name": "VLLM_NIXL_SIDE_CHANNEL_HOST", "valueFrom": own_address},
            {"name": "VLLM_NIXL_SIDE_CHANNEL_PORT", "value": str(KV_PORT)},
            # The fastest that there is: RDMA where pods have it, else TCP.
            {"name": "UCX_TLS", "value": "rc,tcp,sm,self,cuda_copy,cuda_ipc"},
        ]
    return found


def _second_lock(endpoint: EndpointPlan) -> list[JsonObject]:
    """Return what has vLLM refuse what the gateway cannot see: numbers in long texts, tools inside lists."""
    found: list[JsonObject] = [{"name": "VLLM_MAX_N_SEQUENCES", "value": str(MOST_CHOICES)}]
    if STRUCTURED_OUTPUT_FEATURE in endpoint.unsupported_features:
        found.append({"name": "VLLM_ENFORCE_STRICT_TOOL_CALLING", "value": "0"})
    return found


def _home() -> list[JsonObject]:
    return [
        {"name": name, "value": value}
        for name, value in (
            ("HOME", CACHE_PATH),
            ("HF_HOME", f"{CACHE_PATH}/huggingface"),
            ("VLLM_CACHE_ROOT", f"{CACHE_PATH}/vllm"),
            ("HF_HUB_DISABLE_TELEMETRY", "1"),
            ("VLLM_NO_USAGE_STATS", "1"),
            ("DO_NOT_TRACK", "1"),
        )
    ]


def _environment_from(endpoint: EndpointPlan, role: RolePlan) -> dict[str, Json]:
    found = weights.environment_from(endpoint, role)
    return {"envFrom": found} if found else {}
