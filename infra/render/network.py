"""Who may reach the pods of an endpoint, and whom they may reach."""

from infra import names
from infra.plan.model import EndpointPlan
from infra.render.manifest import (
    PART_OF,
    Json,
    JsonObject,
    Manifest,
    endpoint_labels,
    endpoint_object,
    endpoint_selector,
)

MONITORING_NAMESPACE = "monitoring"
"""Where Prometheus runs."""


def network_policy(endpoint: EndpointPlan, stack: str) -> Manifest:
    """Return the openings in the walls of the team for one endpoint."""
    pods: JsonObject = {"matchLabels": endpoint_selector(endpoint, stack)}
    own: JsonObject = {"podSelector": pods}
    spec: dict[str, Json] = {
        "podSelector": pods,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            # All ports: engines hand KV caches over, and the machines of one instance talk, on ports of
            # their own choice.
            {"from": [own]},
            {
                "from": [
                    {"namespaceSelector": {"matchLabels": {names.LABEL_CALLERS: "true"}}},
                    _namespace(MONITORING_NAMESPACE),
                ],
                "ports": [{"protocol": "TCP", "port": "http"}],
            },
            {
                "from": [_namespace(MONITORING_NAMESPACE)],
                "ports": [{"protocol": "TCP", "port": "metrics"}],
            },
        ],
        "egress": [{"to": [own]}],
    }
    return endpoint_object(
        endpoint,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        endpoint.name,
        endpoint_labels(endpoint, stack, name=PART_OF, component="network"),
        spec=spec,
    )


def _namespace(name: str) -> JsonObject:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
