"""Manifests become Pulumi components and resources; nothing is left to decide here."""

from collections.abc import Iterable, Sequence
from importlib.metadata import version

import pulumi

from infra import names
from infra.order import Step, ordered
from infra.plan.document import (
    endpoint_properties,
    fleet_properties,
    gateway_properties,
    node_pool_properties,
    team_properties,
)
from infra.plan.model import EndpointPlan, GatewayPlan, NodePoolPlan, Plan, TeamPlan
from infra.render.make import Manifest


class Fleet(pulumi.ComponentResource):
    """Everything of one stack; its properties are the totals, which policies judge first."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(names.FLEET, "fleet", fleet_properties(plan))


class NodePool(pulumi.ComponentResource):
    """The machines of one type and billing."""

    def __init__(self, pool: NodePoolPlan, fleet: Fleet) -> None:
        super().__init__(
            names.NODE_POOL, pool.name, node_pool_properties(pool), pulumi.ResourceOptions(parent=fleet)
        )


class Team(pulumi.ComponentResource):
    """A team's namespace, with its quota and its walls."""

    def __init__(self, team: TeamPlan, fleet: Fleet) -> None:
        super().__init__(names.TEAM, team.name, team_properties(team), pulumi.ResourceOptions(parent=fleet))


class Gateway(pulumi.ComponentResource):
    """The door in front of every endpoint. Its keys are no resources: no state and no log may hold them."""

    def __init__(self, gateway: GatewayPlan, fleet: Fleet) -> None:
        super().__init__(
            names.GATEWAY_TYPE,
            names.GATEWAY,
            gateway_properties(gateway),
            pulumi.ResourceOptions(parent=fleet),
        )
        self.register_outputs({"url": gateway.url})


class Endpoint(pulumi.ComponentResource):
    """One model behind one id, with all that serves it."""

    def __init__(self, endpoint: EndpointPlan, fleet: Fleet) -> None:
        super().__init__(
            names.ENDPOINT,
            endpoint.name,
            endpoint_properties(endpoint),
            pulumi.ResourceOptions(parent=fleet),
        )
        self.register_outputs({"id": endpoint.id, "url": endpoint.url})


def build(plan: Plan, manifests: Iterable[Manifest]) -> None:
    """Register the components, then the manifests below them; export what callers need to know."""
    fleet = Fleet(plan)
    owners: dict[tuple[str, str], pulumi.ComponentResource] = {
        (names.FLEET, "fleet"): fleet,
        **{(names.NODE_POOL, pool.name): NodePool(pool, fleet) for pool in plan.node_pools},
        **{(names.TEAM, team.name): Team(team, fleet) for team in plan.teams},
        **({(names.GATEWAY_TYPE, names.GATEWAY): Gateway(plan.gateway, fleet)} if plan.gateway else {}),
        **{(names.ENDPOINT, endpoint.name): Endpoint(endpoint, fleet) for endpoint in plan.endpoints},
    }
    cluster = pulumi.ProviderResource(
        "kubernetes",
        "cluster",
        {
            "clusterIdentifier": _once_judged(owners.values(), plan.cluster_identifier),
            "context": plan.context,
            # The gateway watches its files: a ConfigMap that is replaced would be away for a moment.
            "enableConfigMapMutable": "true",
        },
        # Why not pulumi_kubernetes.Provider: it writes this user's KUBECONFIG into the state, and the next
        # user's preview would show a change.
        pulumi.ResourceOptions(parent=fleet, version=version("pulumi-kubernetes")),
    )
    resources: list[pulumi.Resource] = []
    for step in ordered(plan, manifests):
        owner = owners[step.manifest.owner_kind, step.manifest.owner]
        resources.append(_register(step, owner, cluster, resources))
    pulumi.export("endpoints", {e.name: {"id": e.id, "url": e.url} for e in plan.endpoints})
    if plan.gateway:
        pulumi.export("url", plan.gateway.url)
    pulumi.export("totals", fleet_properties(plan)["totals"])


async def _once_judged(components: Iterable[pulumi.Resource], value: str) -> str:
    """Return the value after the engine has taken, and every policy has judged, all components.

    Why: manifests wait for their provider, so a violation stops `up` before anything in the cluster
    changes; and unlike `depends_on` this leaves no edges in the state.
    """
    for component in components:
        await component.urn.future()
    return value


def _register(
    step: Step,
    owner: pulumi.Resource,
    cluster: pulumi.ProviderResource,
    earlier: Sequence[pulumi.Resource],
) -> pulumi.Resource:
    # Why untyped: pulumi-kubernetes' classes cost 2.5 times as much to register, and check nothing that the
    # API server does not check.
    return pulumi.CustomResource(
        step.type_token,
        step.name,
        step.manifest.body,
        pulumi.ResourceOptions(
            parent=owner, provider=cluster, depends_on=[earlier[position] for position in step.after]
        ),
    )
