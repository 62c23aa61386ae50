"""Karpenter's NodePools: which machines it may add, for whom, and when it may take them away."""

from infra import names
from infra.plan.model import NodePoolPlan
from infra.render.manifest import Json, JsonObject, Manifest, labels

CAPACITY_TYPE = {"reserved": "reserved", "hourly": "on-demand"}
WEIGHT = {"reserved": 100, "hourly": 10}
"""Karpenter tries the heavier pool first: what is paid for anyway."""

EMPTY_FOR = "2m"
"""Long enough for a pod that is replaced or rolled. The autoscaler waits before it stops pods; a machine
that waits again would be paid twice."""


def node_pool(pool: NodePoolPlan, stack: str) -> Manifest:
    """Return the NodePool of one machine and billing."""
    own = {
        names.LABEL_STACK: stack,
        names.LABEL_MACHINE: pool.machine,
        names.LABEL_BILLING: pool.billing,
        names.LABEL_POOL: pool.name,
    }
    body: dict[str, Json] = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {
            "name": pool.name,
            "labels": {
                "app.kubernetes.io/name": "node-pool",
                "app.kubernetes.io/instance": pool.name,
                **labels(stack, component="nodes"),
                **own,
            },
        },
        "spec": {
            "weight": WEIGHT[pool.billing],
            "limits": {names.GPU_RESOURCE: str(pool.gpus_max)},
            "disruption": _disruption(pool),
            "template": {"metadata": {"labels": own}, "spec": _node(pool)},
        },
    }
    return Manifest(owner_kind=names.NODE_POOL, owner=pool.name, body=body)


def _node(pool: NodePoolPlan) -> JsonObject:
    return {
        "nodeClassRef": {
            "group": pool.node_class_group,
            "kind": pool.node_class_kind,
            "name": pool.node_class_name,
        },
        "requirements": [
            {
                "key": "karpenter.sh/capacity-type",
                "operator": "In",
                "values": [CAPACITY_TYPE[pool.billing]],
            },
            {
                "key": "node.kubernetes.io/instance-type",
                "operator": "In",
                "values": list(pool.instance_types),
            },
        ],
        "taints": [
            {"key": names.TAINT_POOL, "value": pool.name, "effect": "NoSchedule"},
            {"key": names.TAINT_GPU, "value": "present", "effect": "NoSchedule"},
        ],
        # A machine's age alone is no reason to stop streams and load weights again.
        "expireAfter": "Never",
    }


def _disruption(pool: NodePoolPlan) -> JsonObject:
    """Return when machines may go: only empty ones, because moving an engine costs minutes of its capacity.

    Why no drift for reserved machines: their replacements would have to start first, and there is none to
    spare. Hourly ones are replaced one at a time.
    """
    busy = "0" if pool.billing == "reserved" else "1"
    return {
        "consolidationPolicy": "WhenEmpty",
        "consolidateAfter": EMPTY_FOR,
        "budgets": [
            {"nodes": "100%", "reasons": ["Empty"]},
            {"nodes": busy, "reasons": ["Drifted"]},
            {"nodes": "0", "reasons": ["Underutilized"]},
        ],
    }
