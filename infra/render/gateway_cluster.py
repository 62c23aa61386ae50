"""The door in front of a stack's endpoints, as Kubernetes objects: its table of contents."""

from collections.abc import Iterator, Mapping

from infra import names
from infra.plan.model import GatewayPlan, Plan
from infra.render.disruption import one_at_a_time
from infra.render.gateway.bootstrap import BOOTSTRAP_FILE
from infra.render.gateway.make import gateway_files, needs_moderator, needs_ratelimit
from infra.render.gateway.moderation import moderation_config
from infra.render.gateway_common import (
    CONFIG_MAP,
    KEYS_SECRET,
    MODERATION_FILE,
    gateway_labels,
    gateway_object,
    part_selector,
    place,
)
from infra.render.gateway_entry import entry_objects
from infra.render.gateway_limits import limits_objects
from infra.render.gateway_network import gateway_walls
from infra.render.gateway_pods import gateway_deployment
from infra.render.manifest import Json, Manifest
from infra.render.team import restricted

SCRAPE_INTERVAL = "5s"
"""As often as autoscalers ask: a request that waits for a sleeping endpoint is seen within two of them."""

RBAC = "rbac.authorization.k8s.io"


def gateway_objects(plan: Plan, gateway: GatewayPlan) -> Iterator[Manifest]:
    """Yield every object of the gateway; its keys are in a Secret that no program but `keys` writes."""
    yield _namespace(plan, gateway)
    yield from gateway_walls(plan, gateway)
    yield from _account(plan, gateway)
    files = _files(plan, gateway)
    yield gateway_object(plan, gateway, "v1", "ConfigMap", CONFIG_MAP, data=files)
    if needs_ratelimit(plan):
        yield from limits_objects(plan, gateway)
    yield from entry_objects(plan, gateway)
    yield _pod_monitor(plan, gateway)
    yield _disruption_budget(plan, gateway)
    yield gateway_deployment(plan, gateway, files[BOOTSTRAP_FILE])


def _namespace(plan: Plan, gateway: GatewayPlan) -> Manifest:
    body: dict[str, Json] = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": gateway.namespace, "labels": {**gateway_labels(plan), **restricted()}},
    }
    return Manifest(owner_kind=names.GATEWAY_TYPE, owner=names.GATEWAY, body=body)


def _files(plan: Plan, gateway: GatewayPlan) -> Mapping[str, str]:
    where = place(plan, gateway)
    judging = {MODERATION_FILE: moderation_config(plan, where)} if needs_moderator(plan) else {}
    return {**gateway_files(plan, where), **judging}


def _account(plan: Plan, gateway: GatewayPlan) -> Iterator[Manifest]:
    """Yield the right to read the gateway's own files and keys, and nothing else."""
    name = names.GATEWAY
    yield gateway_object(plan, gateway, "v1", "ServiceAccount", name, automountServiceAccountToken=False)
    yield gateway_object(
        plan,
        gateway,
        f"{RBAC}/v1",
        "Role",
        name,
        rules=[
            {
                "apiGroups": [""],
                "resources": [resource],
                "resourceNames": [of],
                "verbs": ["get", "list", "watch"],
            }
            for resource, of in (("configmaps", CONFIG_MAP), ("secrets", KEYS_SECRET))
        ],
    )
    yield gateway_object(
        plan,
        gateway,
        f"{RBAC}/v1",
        "RoleBinding",
        name,
        roleRef={"apiGroup": RBAC, "kind": "Role", "name": name},
        subjects=[{"kind": "ServiceAccount", "name": name, "namespace": gateway.namespace}],
    )


def _pod_monitor(plan: Plan, gateway: GatewayPlan) -> Manifest:
    return gateway_object(
        plan,
        gateway,
        "monitoring.coreos.com/v1",
        "PodMonitor",
        names.GATEWAY,
        spec={
            "selector": {"matchLabels": part_selector(plan.stack)},
            "podMetricsEndpoints": [
                {"port": "metrics", "path": "/stats/prometheus", "interval": SCRAPE_INTERVAL}
            ],
        },
    )


def _disruption_budget(plan: Plan, gateway: GatewayPlan) -> Manifest:
    return gateway_object(
        plan,
        gateway,
        "policy/v1",
        "PodDisruptionBudget",
        names.GATEWAY,
        spec=one_at_a_time(part_selector(plan.stack)),
    )
