"""Who may reach the gateway, and whom it may reach."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from infra import names
from infra.plan.model import GatewayPlan, Plan
from infra.render.gateway.make import needs_moderator, needs_ratelimit
from infra.render.gateway_common import (
    METRICS_PORT,
    RATELIMIT,
    RATELIMIT_PORT,
    REDIS,
    REDIS_PORT,
    gateway_object,
    part_selector,
    place,
)
from infra.render.manifest import Json, JsonObject, Manifest
from infra.render.network import in_cluster_namespace, monitoring_peers, namespace_peer
from infra.render.router import API_SERVER_PORTS
from infra.render.team import EVERYWHERE, to_dns


def gateway_walls(plan: Plan, gateway: GatewayPlan) -> Iterator[Manifest]:
    """Yield the network policies of the gateway's namespace."""
    yield _policy(plan, gateway, "deny-all", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    yield _policy(plan, gateway, "allow-dns", to_dns())
    yield _policy(
        plan,
        gateway,
        names.GATEWAY,
        {
            "podSelector": {"matchLabels": part_selector(plan.stack)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": list(_callers(gateway)), "ports": [_tcp(place(plan, gateway).listen.port)]},
                {"from": monitoring_peers(plan.prometheus_url), "ports": [_tcp(METRICS_PORT)]},
            ],
            "egress": [*_engines(plan), _api_servers(), *_judges(plan, gateway), *_counters(plan)],
        },
    )
    if needs_ratelimit(plan):
        yield _between(plan, gateway, RATELIMIT, comes_from=names.GATEWAY, port=RATELIMIT_PORT, goes_to=REDIS)
        yield _between(plan, gateway, REDIS, comes_from=RATELIMIT, port=REDIS_PORT, goes_to=None)


def _callers(gateway: GatewayPlan) -> Iterator[JsonObject]:
    yield {"namespaceSelector": {"matchLabels": {names.LABEL_CALLERS: "true"}}}
    if gateway.parent_namespace:
        yield namespace_peer(gateway.parent_namespace)


def _engines(plan: Plan) -> Iterator[JsonObject]:
    """Yield the way to every endpoint's engines and routers, whose own walls say the same."""
    pods: JsonObject = {
        "matchLabels": {names.LABEL_STACK: plan.stack},
        "matchExpressions": [{"key": names.LABEL_ENDPOINT, "operator": "Exists"}],
    }
    peers: list[JsonObject] = [{**namespace_peer(team.namespace), "podSelector": pods} for team in plan.teams]
    if peers:  # without any it would be the way to everywhere
        yield {"to": peers, "ports": [_tcp(names.ENGINE_PORT)]}


def _api_servers() -> JsonObject:
    """Return the way to the API server, whose address nobody knows beforehand: keys come from there."""
    return {
        "to": [{"ipBlock": {"cidr": cidr}} for cidr in EVERYWHERE],
        "ports": [_tcp(port) for port in API_SERVER_PORTS],
    }


def _judges(plan: Plan, gateway: GatewayPlan) -> Iterator[JsonObject]:
    """Yield the way to the service that judges, inside the cluster or outside."""
    url = gateway.judges.url if gateway.judges else None
    if url is None or not needs_moderator(plan):
        return
    parts = urlsplit(url)
    inside = in_cluster_namespace(url)
    if inside:
        # Any port: policies see that of the pod, which the address of its Service does not tell.
        yield {"to": [namespace_peer(inside)]}
    if not inside or (parts.hostname or "").count(".") == 1:  # moderator.tools, or example.com
        port = parts.port or (443 if parts.scheme == "https" else 80)
        yield {"to": [{"ipBlock": {"cidr": cidr}} for cidr in EVERYWHERE], "ports": [_tcp(port)]}


def _counters(plan: Plan) -> Iterator[JsonObject]:
    if needs_ratelimit(plan):
        yield {"to": [_part(plan, RATELIMIT)], "ports": [_tcp(RATELIMIT_PORT)]}


def _between(
    plan: Plan, gateway: GatewayPlan, component: str, *, comes_from: str, port: int, goes_to: str | None
) -> Manifest:
    """Return the walls of a part that one other part calls, and that calls at most one."""
    spec: dict[str, Json] = {
        "podSelector": {"matchLabels": part_selector(plan.stack, component)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [_part(plan, comes_from)], "ports": [_tcp(port)]}],
        "egress": [{"to": [_part(plan, goes_to)]}] if goes_to else [],
    }
    return _policy(plan, gateway, component, spec)


def _part(plan: Plan, component: str) -> JsonObject:
    return {"podSelector": {"matchLabels": part_selector(plan.stack, component)}}


def _policy(plan: Plan, gateway: GatewayPlan, name: str, spec: JsonObject) -> Manifest:
    return gateway_object(plan, gateway, "networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)


def _tcp(port: int) -> JsonObject:
    """Return a port by number: not every network plugin finds the names of ports of sidecars."""
    return {"protocol": "TCP", "port": port}
