"""Who may reach the pods of an endpoint, and whom they may reach."""

from urllib.parse import urlsplit

from infra import names
from infra.plan.model import EndpointPlan, GatewayPlan
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


def network_policy(
    endpoint: EndpointPlan, stack: str, prometheus_url: str, gateway: GatewayPlan | None
) -> Manifest:
    """Return the openings in the walls of the team for one endpoint.

    Why only the gateway's pods where there is a gateway: it checks keys, and engines answer paths that no
    caller may use, to anybody who reaches them.
    Why the suffix in its name: an endpoint may be called like a wall of its team, or like another's router.
    """
    monitoring = monitoring_peers(prometheus_url)
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
                "from": [_callers(gateway, stack), *monitoring],
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


def _callers(gateway: GatewayPlan | None, stack: str) -> JsonObject:
    if gateway is None:
        return {"namespaceSelector": {"matchLabels": {names.LABEL_CALLERS: "true"}}}
    pods: JsonObject = {"app.kubernetes.io/component": names.GATEWAY, names.LABEL_STACK: stack}
    return {**namespace_peer(gateway.namespace), "podSelector": {"matchLabels": pods}}


def monitoring_peers(prometheus_url: str) -> list[JsonObject]:
    """Return where Prometheus may scrape from: the usual namespace, and that which its address names."""
    found = in_cluster_namespace(prometheus_url)
    return [namespace_peer(name) for name in sorted({MONITORING_NAMESPACE, *([found] if found else [])})]


def in_cluster_namespace(url: str) -> str | None:
    """Return the namespace that an address names; None where it leads out of the cluster."""
    labels = (urlsplit(url).hostname or "").split(".")
    return labels[1] if len(labels) == 2 or labels[2:3] == ["svc"] else None


def namespace_peer(name: str) -> JsonObject:
    """Return all pods of a namespace, as network policies name them."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
