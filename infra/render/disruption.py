"""How many pods of an endpoint may go at once when machines are drained."""

from collections.abc import Mapping

from infra.plan.model import EndpointPlan
from infra.render.manifest import (
    ENGINE,
    ROUTER,
    JsonObject,
    Manifest,
    endpoint_labels,
    endpoint_object,
    role_selector,
)


def one_at_a_time(selector: Mapping[str, str]) -> JsonObject:
    """Return the spec of a PodDisruptionBudget that lets one pod go at a time.

    Why pods that are not ready may always go: one that never starts must not hold a machine for ever.
    """
    return {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector},
    }


def disruption_budget(endpoint: EndpointPlan, stack: str, role: str) -> Manifest:
    """Return the PodDisruptionBudget of a role: one pod at a time."""
    program = ROUTER if role == "router" else ENGINE
    return endpoint_object(
        endpoint,
        "policy/v1",
        "PodDisruptionBudget",
        f"{endpoint.name}-{role}",
        endpoint_labels(endpoint, stack, name=program, component=role),
        spec=one_at_a_time(role_selector(endpoint, stack, role)),
    )
