"""The LeaderWorkerSet of an instance that spans machines: one pod on each, started and restarted together."""

from infra import names
from infra.plan.model import Billing, EndpointPlan, RolePlan
from infra.render.manifest import SKIP_AWAIT, WAIT_FOR, Json, JsonObject, Manifest, endpoint_object
from infra.render.pods import engine_args, pod_template, workload_labels
from infra.render.workloads import await_annotations, replicas

LWS_API = "leaderworkerset.x-k8s.io/v1"

WORKER_INDEX_LABEL = "leaderworkerset.sigs.k8s.io/worker-index"
GROUP_LABEL = "leaderworkerset.sigs.k8s.io/group-key"
SET_LABEL = "leaderworkerset.sigs.k8s.io/name"
"""Labels that LeaderWorkerSet gives each pod: its place in its group, its group, its LeaderWorkerSet."""

_WAIT_FOR_LEADER = f"""\
import os, socket, time
try:
    while True:
        socket.create_connection((os.environ["LWS_LEADER_ADDRESS"], {names.ENGINE_PORT}), 5).close()
        time.sleep(2)
except OSError:
    pass
"""


def leader_worker_set(endpoint: EndpointPlan, role: RolePlan, billing: Billing, stack: str) -> Manifest:
    """Return the LeaderWorkerSet of a role's reserved or hourly units.

    Why a whole group restarts: an engine that lost one of its machines cannot take it back.
    """
    annotations = await_annotations(endpoint, role, billing)
    if SKIP_AWAIT not in annotations:
        annotations[WAIT_FOR] = "condition=Available"
    args = [*engine_args(endpoint, role), "--master-addr=$(LWS_LEADER_ADDRESS)"]
    rank = "--node-rank=$(LWS_WORKER_INDEX)"
    spec: dict[str, Json] = {
        **replicas(role, billing),
        "startupPolicy": "LeaderCreated",
        "rolloutStrategy": {
            "type": "RollingUpdate",
            "rollingUpdateConfiguration": {"maxSurge": 0, "maxUnavailable": 1},
        },
        "leaderWorkerTemplate": {
            "size": role.machines_per_instance,
            "restartPolicy": "RecreateGroupOnPodRestart",
            "leaderTemplate": _pod(endpoint, role, billing, stack, [*args, "--node-rank=0"]),
            "workerTemplate": _pod(
                endpoint,
                role,
                billing,
                stack,
                [*args, rank, "--headless"],
                before_stopping=_until_leader_ends(),
            ),
        },
    }
    return endpoint_object(
        endpoint,
        LWS_API,
        "LeaderWorkerSet",
        names.workload_name(endpoint.name, role.name, billing),
        workload_labels(endpoint, role, billing, stack),
        annotations=annotations,
        spec=spec,
    )


def _pod(
    endpoint: EndpointPlan,
    role: RolePlan,
    billing: Billing,
    stack: str,
    args: list[str],
    *,
    before_stopping: JsonObject | None = None,
) -> JsonObject:
    return pod_template(
        endpoint,
        role,
        billing,
        stack,
        args=args,
        further_machine=before_stopping,
        affinity=_near_each_other(endpoint),
    )


def _until_leader_ends() -> JsonObject:
    """Return what a further machine does before it stops: all are told at once, but streams go on."""
    return {"preStop": {"exec": {"command": ["python3", "-c", _WAIT_FOR_LEADER]}}}


def _near_each_other(endpoint: EndpointPlan) -> JsonObject:
    """Return the wish that machines of one instance are in one zone.

    Why a wish: across zones an instance is slow, but it serves.
    """
    term: dict[str, Json] = {
        "topologyKey": "topology.kubernetes.io/zone",
        "labelSelector": {"matchExpressions": [{"key": SET_LABEL, "operator": "Exists"}]},
        "matchLabelKeys": [GROUP_LABEL],
    }
    return {
        "podAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
        }
    }
