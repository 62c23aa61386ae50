"""KEDA's ScaledObject of hourly units: whole steps between the plan's bounds, or nothing."""

from collections.abc import Iterable
from math import ceil

from infra import names
from infra.plan.model import EndpointPlan, Plan, RolePlan
from infra.render import queries
from infra.render.lws import LWS_API
from infra.render.manifest import ENGINE, Json, JsonObject, Manifest, endpoint_labels, endpoint_object

POLLING_SECONDS = 5
"""How long a request to a sleeping endpoint waits, at most, before its engines start to load."""

SLEEP_AFTER_SECONDS = 600
"""Idle time before burst units stop behind reserved ones, where nobody says otherwise."""

SCALE_DOWN_WINDOW_SECONDS = 300
"""Kubernetes' own default: loading weights again costs more than the minutes saved."""

SCALE_DOWN_PERIOD_SECONDS = 60

RECENT = "recent"
"""The query that is no load: it keeps an endpoint awake."""

AWAKE = 0.01
"""Groups that recent traffic is worth: above none, below any load."""


def scaled_object(endpoint: EndpointPlan, role: RolePlan, plan: Plan) -> Manifest:
    """Return the ScaledObject of a role's hourly units."""
    stack = plan.stack
    scaling = endpoint.scaling
    step = scaling.groups_per_step * role.count
    may_sleep = role.replicas.hourly_min == 0
    minimum = role.replicas.hourly_min or step
    asked = queries.in_flight(endpoint, plan)
    if _stays_awake_by_traffic(endpoint):
        asked[RECENT] = queries.recent(endpoint, stack)
    spec: dict[str, Json] = {
        "scaleTargetRef": _target(endpoint, role),
        "pollingInterval": POLLING_SECONDS,
        "cooldownPeriod": scaling.sleep_after_seconds or SLEEP_AFTER_SECONDS,
        # A new endpoint without a minimum sleeps at once: it was asked to have no units.
        "initialCooldownPeriod": 0,
        **({"idleReplicaCount": 0} if may_sleep else {}),
        "minReplicaCount": minimum,
        "maxReplicaCount": role.replicas.hourly_max,
        # Blind, keep what runs. Not below the minimum: KEDA takes 0 here for permission to sleep.
        "fallback": {"failureThreshold": 3, "replicas": minimum, "behavior": "currentReplicasIfHigher"},
        "advanced": {
            "scalingModifiers": {
                "formula": formula(endpoint, role, asked),
                "target": "1",
                "metricType": "AverageValue",
            },
            "horizontalPodAutoscalerConfig": {"behavior": _behavior(role, step)},
        },
        "triggers": [_trigger(name, query, plan.prometheus_url) for name, query in asked.items()],
    }
    return endpoint_object(
        endpoint,
        "keda.sh/v1alpha1",
        "ScaledObject",
        names.workload_name(endpoint.name, role.name, "hourly"),
        {
            **endpoint_labels(endpoint, stack, name=ENGINE, component=role.name),
            names.LABEL_ROLE: role.name,
            names.LABEL_BILLING: "hourly",
        },
        spec=spec,
    )


def formula(endpoint: EndpointPlan, role: RolePlan, asked: Iterable[str]) -> str:
    """Return how many of a role's instances should run: whole steps of groups that reserved units lack.

    Every role of an endpoint computes the same groups from the same queries.
    """
    scaling = endpoint.scaling
    in_flight = " + ".join(name for name in asked if name != RECENT)
    groups = f"({in_flight}) / {_decimal(scaling.concurrency_per_group)}"
    if _stays_awake_by_traffic(endpoint):
        groups = f"max({groups}, {RECENT} > 0 ? {AWAKE} : 0)"
    if scaling.reserved_groups:
        groups = f"max({groups} - {scaling.reserved_groups}, 0)"
    per_step = f" / {scaling.groups_per_step}" if scaling.groups_per_step > 1 else ""
    replicas = scaling.groups_per_step * role.count
    times = f" * {replicas}" if replicas > 1 else ""
    return f"ceil({groups}{per_step}){times}"


def _decimal(concurrency: float) -> str:
    """Write what one group holds, rounded up: rounded down, a load that just fits would start one more."""
    millionths = ceil(round(concurrency * 1e6, 3))
    return f"{millionths / 1e6:.6f}".rstrip("0").rstrip(".")


def _stays_awake_by_traffic(endpoint: EndpointPlan) -> bool:
    """Say whether nothing but hourly units serves; behind reserved units, burst may end between requests."""
    return endpoint.units.min == 0


def _target(endpoint: EndpointPlan, role: RolePlan) -> JsonObject:
    name = names.workload_name(endpoint.name, role.name, "hourly")
    if role.machines_per_instance > 1:
        return {"apiVersion": LWS_API, "kind": "LeaderWorkerSet", "name": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}


def _behavior(role: RolePlan, step: int) -> JsonObject:
    """Return how fast replicas may change: up to the maximum at once, down step by step.

    Why no tolerance: the default of a tenth hides one step from the tenth step on.
    """
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "tolerance": "0",
            "policies": [{"type": "Pods", "value": role.replicas.hourly_max, "periodSeconds": 15}],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": SCALE_DOWN_WINDOW_SECONDS,
            "tolerance": "0",
            "policies": [{"type": "Pods", "value": step, "periodSeconds": SCALE_DOWN_PERIOD_SECONDS}],
        },
    }


def _trigger(name: str, query: str, prometheus_url: str) -> JsonObject:
    return {
        "type": "prometheus",
        "name": name,
        "metadata": {
            "serverAddress": prometheus_url,
            "query": query,
            # The formula decides; KEDA wants a threshold all the same.
            "threshold": "1",
            # Every query answers 0 where there is nothing: no answer is a failure, not a 0.
            "ignoreNullValues": "false",
        },
    }
