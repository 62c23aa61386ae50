"""The Deployment of engines whose instances fit one machine; how many they are and who waits for them."""

from infra import names
from infra.plan.model import Billing, EndpointPlan, RolePlan
from infra.render.manifest import (
    SKIP_AWAIT,
    TIMEOUT_SECONDS,
    Json,
    JsonObject,
    Manifest,
    endpoint_object,
    role_selector,
)
from infra.render.pods import engine_args, pod_template, workload_labels


def deployment(endpoint: EndpointPlan, role: RolePlan, billing: Billing, stack: str) -> Manifest:
    """Return the Deployment of a role's reserved or hourly units.

    Why no surge: reserved machines are full, and an hourly one would be rented for the roll-out alone.
    """
    selector = {**role_selector(endpoint, stack, role.name), names.LABEL_BILLING: billing}
    spec: dict[str, Json] = {
        **replicas(role, billing),
        "selector": {"matchLabels": selector},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        # Kubernetes gives up after 10 minutes by default; weights take longer.
        "progressDeadlineSeconds": endpoint.startup_timeout_seconds,
        "revisionHistoryLimit": 3,
        "template": pod_template(
            endpoint,
            role,
            billing,
            stack,
            args=engine_args(endpoint, role),
            affinity=_fill_machines(stack, billing),
        ),
    }
    return endpoint_object(
        endpoint,
        "apps/v1",
        "Deployment",
        names.workload_name(endpoint.name, role.name, billing),
        workload_labels(endpoint, role, billing, stack),
        annotations=await_annotations(endpoint, role, billing),
        spec=spec,
    )


def replicas(role: RolePlan, billing: Billing) -> dict[str, Json]:
    """Return the fixed number of reserved instances; hourly ones are the autoscaler's to count."""
    return {"replicas": role.replicas.reserved} if billing == "reserved" else {}


def await_annotations(endpoint: EndpointPlan, role: RolePlan, billing: Billing) -> dict[str, str]:
    """Return how long Pulumi waits; not at all for instances that may be asleep."""
    waits = {TIMEOUT_SECONDS: str(endpoint.startup_timeout_seconds)}
    may_sleep = billing == "hourly" and role.replicas.hourly_min == 0
    return {SKIP_AWAIT: "true"} if may_sleep else waits


def _fill_machines(stack: str, billing: Billing) -> JsonObject:
    """Return the wish to share a machine with other engines of the pool, whosever they are.

    Why: the scheduler spreads pods by default, while a pool has as many machines as its engines fill. Two
    small engines on a machine each may leave none for an engine that needs a whole one.
    """
    term: dict[str, Json] = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {names.LABEL_STACK: stack, names.LABEL_BILLING: billing}},
        "namespaceSelector": {},
    }
    return {
        "podAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
        }
    }
