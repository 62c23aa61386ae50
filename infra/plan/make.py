"""The plan of a stack: the table of contents of this folder."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from infra.catalog.model import Catalog
from infra.plan.cost import total_cost
from infra.plan.endpoints import endpoint_plan
from infra.plan.gateway import gateway_plan, guard_problems
from infra.plan.machines import Machine, machines_of
from infra.plan.model import EndpointPlan, Exemption, NodePoolPlan, Plan, Totals
from infra.plan.pools import node_pools
from infra.plan.quotas import machine_uses, quota_uses, team_plans
from infra.plan.resolve import Resolved, resolve
from infra.problems import Problem
from infra.spec.environment import Environment
from infra.spec.stack import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan of every endpoint whose names lead somewhere, and the problems of the others."""

    plan: Plan
    problems: tuple[Problem, ...]


def make_plan(stack: Stack, catalog: Catalog, as_of: date) -> Planned:
    """Decide what will exist for a stack on a day."""
    environment = stack.environment.value
    machines, machine_problems = machines_of(stack.name, stack.environment, catalog)
    found = [
        resolve(written, stack, machines, catalog)
        for written in sorted(stack.endpoints, key=lambda written: written.name)
    ]
    endpoints = tuple(endpoint_plan(each, stack, as_of) for each in found if isinstance(each, Resolved))
    pools = node_pools(stack.name, machines, (role for endpoint in endpoints for role in endpoint.roles))
    plan = Plan(
        project=stack.project,
        stack=stack.name,
        context=environment.cluster.context,
        cluster_identifier=_cluster_identifier(stack),
        nodes=environment.nodes,
        gateway=gateway_plan(stack, endpoints),
        prometheus_url=environment.prometheus.url,
        endpoints=endpoints,
        node_pools=pools,
        teams=team_plans(stack.name, endpoints),
        quotas=quota_uses(endpoints, environment.teams),
        machines=machine_uses(pools, machines),
        exemptions=_exemptions(environment),
        totals=_totals(endpoints, pools, machines, environment.prices.currency),
    )
    endpoint_problems = [problem for each in found if not isinstance(each, Resolved) for problem in each]
    problems = {*machine_problems, *endpoint_problems, *guard_problems(stack, endpoints)}
    return Planned(plan=plan, problems=tuple(sorted(problems)))


def _cluster_identifier(stack: Stack) -> str:
    cluster = stack.environment.value.cluster
    return cluster.identifier or cluster.context or f"{stack.project}-{stack.name}"


def _exemptions(environment: Environment) -> tuple[Exemption, ...]:
    return tuple(
        Exemption(
            rule=each.rule, endpoint=each.endpoint, reason=each.reason, owner=each.owner, until=each.until
        )
        for each in environment.exemptions
    )


def _totals(
    endpoints: Iterable[EndpointPlan],
    pools: Iterable[NodePoolPlan],
    machines: Mapping[str, Machine],
    currency: str,
) -> Totals:
    counted, pools = tuple(endpoints), tuple(pools)
    return Totals(
        endpoints=len(counted),
        units_min=sum(endpoint.units.min for endpoint in counted),
        units_max=sum(endpoint.units.max for endpoint in counted),
        gpus_min=sum(endpoint.gpus_min for endpoint in counted),
        gpus_max=sum(endpoint.gpus_max for endpoint in counted),
        machines_min=sum(pool.machines_min for pool in pools),
        machines_max=sum(pool.machines_max for pool in pools),
        cost=total_cost(pools, machines, currency),
    )
