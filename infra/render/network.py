"""Who may reach the pods of an endpoint, and whom they may reach."""

from urllib.parse import urlsplit

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
"""Where what reads metrics usually runs, also where its address is in another namespace."""


def network_policy(endpoint: EndpointPlan, stack: str, prometheus_url: str) -> Manifest:
    """Return the openings in the walls of the team for one endpoint.

    Why the suffix in its name: an endpoint may be called like a wall of its team, or like another's router.
    """
    monitoring = [_namespace(name) for name in _monitoring_namespaces(prometheus_url)]
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
                    *monitoring,
                ],
                "ports": [{"protocol": "TCP", "port": "http"}],
            },
            {
                "from": monitoring,
                "ports": [{"protocol": "TCP", "port": "metrics"}],
            },
        ],
        "egress": [{"to": [own]}],
    }
    return endpoint_object(
        endpoint,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        f"{endpoint.name}-pods",
        endpoint_labels(endpoint, stack, name=PART_OF, component="network"),
        spec=spec,
    )


def _monitoring_namespaces(prometheus_url: str) -> tuple[str, ...]:
    """Return the namespaces that Prometheus may scrape from: its Service's, where the address names one."""
    labels = (urlsplit(prometheus_url).hostname or "").split(".")
    in_cluster = len(labels) == 2 or labels[2:3] == ["svc"]
    return tuple(sorted({MONITORING_NAMESPACE, *([labels[1]] if in_cluster else [])}))


def _namespace(name: str) -> JsonObject:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
