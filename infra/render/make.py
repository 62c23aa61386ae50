"""The table of contents of rendering: from a plan to every Kubernetes object of a stack."""

from collections.abc import Iterator

from infra.plan.model import Billing, EndpointPlan, Plan, RolePlan
from infra.render import weights
from infra.render.autoscaling import scaled_object
from infra.render.disruption import disruption_budget
from infra.render.gateway_cluster import gateway_objects
from infra.render.lws import leader_worker_set
from infra.render.manifest import Manifest
from infra.render.monitoring import pod_monitor
from infra.render.network import network_policy
from infra.render.node_pools import node_pool
from infra.render.observability.alerts import alert_rules
from infra.render.observability.dashboard import dashboard
from infra.render.router import ROLE, router_objects
from infra.render.services import role_service
from infra.render.team import team_objects
from infra.render.workloads import deployment

__all__ = ["Manifest", "render"]


def render(plan: Plan) -> tuple[Manifest, ...]:
    """Return every Kubernetes object of a stack, in a lasting order."""
    return tuple(_objects(plan))


def _objects(plan: Plan) -> Iterator[Manifest]:
    if plan.nodes == "karpenter":
        yield from (node_pool(pool, plan.stack) for pool in plan.node_pools)
    for team in plan.teams:
        yield from team_objects(team, plan.stack)
    if plan.gateway:
        yield from gateway_objects(plan, plan.gateway)
        if plan.endpoints:
            yield dashboard(plan, plan.gateway)
            yield alert_rules(plan, plan.gateway)
    for endpoint in plan.endpoints:
        yield from _endpoint_objects(endpoint, plan)


def _endpoint_objects(endpoint: EndpointPlan, plan: Plan) -> Iterator[Manifest]:
    yield network_policy(endpoint, plan.stack, plan.prometheus_url, plan.gateway)
    yield pod_monitor(endpoint, plan.stack)
    if any(weights.hands_over_files(role) for role in endpoint.roles):
        yield weights.transfer_claim(endpoint, plan.stack)
    for role in endpoint.roles:
        yield role_service(endpoint, role, plan.stack)
        yield disruption_budget(endpoint, plan.stack, role.name)
        if role.replicas.hourly_max:
            # Before the workload: until its scaler is there, it has one pod.
            yield scaled_object(endpoint, role, plan)
            yield _workload(endpoint, role, "hourly", plan.stack)
        if role.replicas.reserved:
            yield _workload(endpoint, role, "reserved", plan.stack)
    if endpoint.router_image:
        yield from router_objects(endpoint, endpoint.router_image, plan.stack)
        yield disruption_budget(endpoint, plan.stack, ROLE)


def _workload(endpoint: EndpointPlan, role: RolePlan, billing: Billing, stack: str) -> Manifest:
    spans = role.machines_per_instance > 1
    return (leader_worker_set if spans else deployment)(endpoint, role, billing, stack)
