"""What Prometheus reads from an endpoint's pods, and under which labels."""

from infra import names
from infra.plan.model import EndpointPlan
from infra.render.gateway.metrics import ENDPOINT_LABEL, STACK_LABEL
from infra.render.manifest import (
    PART_OF,
    Json,
    JsonObject,
    Manifest,
    endpoint_labels,
    endpoint_object,
    endpoint_selector,
)
from infra.render.queries import ROLE_LABEL

SCRAPE_INTERVAL = "15s"
"""At most four scrapes behind: the window of the recent traffic that keeps an endpoint awake."""


def pod_monitor(endpoint: EndpointPlan, stack: str) -> Manifest:
    """Return the PodMonitor of an endpoint: its engines and, where it has one, its router."""
    return endpoint_object(
        endpoint,
        "monitoring.coreos.com/v1",
        "PodMonitor",
        endpoint.name,
        endpoint_labels(endpoint, stack, name=PART_OF, component="monitoring"),
        spec={
            "selector": {"matchLabels": endpoint_selector(endpoint, stack)},
            "podMetricsEndpoints": [_scrape(port) for port in _ports(endpoint)],
        },
    )


def _ports(endpoint: EndpointPlan) -> tuple[str, ...]:
    """Return the ports by name; a pod without such a port is not asked there."""
    return ("http", "metrics") if endpoint.router_image else ("http",)


def _scrape(port: str) -> JsonObject:
    relabelings: list[Json] = [
        {"sourceLabels": [_meta(label)], "targetLabel": target}
        for label, target in (
            (names.LABEL_STACK, STACK_LABEL),
            (names.LABEL_ENDPOINT, ENDPOINT_LABEL),
            (names.LABEL_ROLE, ROLE_LABEL),
        )
    ]
    return {"port": port, "path": "/metrics", "interval": SCRAPE_INTERVAL, "relabelings": relabelings}


def _meta(label: str) -> str:
    """Return the name under which Prometheus knows a pod's label."""
    return "__meta_kubernetes_pod_label_" + label.replace(".", "_").replace("/", "_")
