"""The Service of each role: a name for its engines inside the cluster."""

from infra import names
from infra.plan.model import EndpointPlan, RolePlan
from infra.render.lws import WORKER_INDEX_LABEL
from infra.render.manifest import (
    ENGINE,
    SKIP_AWAIT,
    Manifest,
    endpoint_labels,
    endpoint_object,
    role_selector,
)


def role_service(endpoint: EndpointPlan, role: RolePlan, stack: str) -> Manifest:
    """Return the Service of a role, over reserved and hourly units alike."""
    return endpoint_object(
        endpoint,
        "v1",
        "Service",
        names.service_name(endpoint.name, role.name),
        {
            **endpoint_labels(endpoint, stack, name=ENGINE, component=role.name),
            names.LABEL_ROLE: role.name,
        },
        # Pulumi would wait 10 minutes for its pods: the workloads wait longer, and a sleeping role has none.
        annotations={SKIP_AWAIT: "true"},
        spec={
            "type": "ClusterIP",
            "selector": serving_selector(endpoint, role, stack),
            "ports": [{"name": "http", "port": names.ENGINE_PORT, "targetPort": "http", "protocol": "TCP"}],
        },
    )


def serving_selector(endpoint: EndpointPlan, role: RolePlan, stack: str) -> dict[str, str]:
    """Return the labels of the pods of a role that take requests: the first machine of each instance."""
    selector = role_selector(endpoint, stack, role.name)
    return {**selector, WORKER_INDEX_LABEL: "0"} if role.machines_per_instance > 1 else selector
