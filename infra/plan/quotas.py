"""What teams and machines reach at peak, held against what they may."""

from collections import Counter
from collections.abc import Iterable, Mapping

from infra import names
from infra.plan.machines import Machine
from infra.plan.model import EndpointPlan, MachineUse, NodePoolPlan, QuotaUse, TeamPlan
from infra.spec.environment import Team


def quota_uses(endpoints: Iterable[EndpointPlan], teams: Mapping[str, Team]) -> tuple[QuotaUse, ...]:
    """Return the units of each machine that each team reaches at peak; no quota, no units."""
    used: Counter[tuple[str, str]] = Counter()
    for endpoint in endpoints:
        for role in endpoint.roles:
            used[endpoint.team, role.machine] += role.replicas.max
    granted = {
        (team, machine): limit for team, facts in teams.items() for machine, limit in facts.quota.items()
    }
    return tuple(
        QuotaUse(team=team, machine=machine, used=used[team, machine], limit=granted.get((team, machine), 0))
        for team, machine in sorted(used.keys() | granted.keys())
    )


def machine_uses(pools: Iterable[NodePoolPlan], machines: Mapping[str, Machine]) -> tuple[MachineUse, ...]:
    """Return the machines of each type at peak, and those that units bought by the month need."""
    peak: Counter[str] = Counter()
    reserved: Counter[str] = Counter()
    for pool in pools:
        peak[pool.machine] += pool.machines_max
        if pool.billing == "reserved":
            reserved[pool.machine] += pool.machines_max
    return tuple(
        MachineUse(
            machine=name,
            peak=peak[name],
            max=machines[name].max,
            reserved_used=reserved[name],
            reserved=machines[name].reserved,
        )
        for name in sorted(machines)
    )


def team_plans(stack: str, endpoints: Iterable[EndpointPlan]) -> tuple[TeamPlan, ...]:
    """Return the teams that own endpoints, with what their pods may ask for at peak."""
    by_team: dict[str, list[EndpointPlan]] = {}
    for endpoint in endpoints:
        by_team.setdefault(endpoint.team, []).append(endpoint)
    return tuple(
        TeamPlan(
            name=team,
            namespace=names.namespace(stack, team),
            gpus_max=sum(endpoint.gpus_max for endpoint in owned),
            pods_max=sum(_pods_max(endpoint) for endpoint in owned),
        )
        for team, owned in sorted(by_team.items())
    )


def _pods_max(endpoint: EndpointPlan) -> int:
    engines = sum(role.replicas.max * role.machines_per_instance for role in endpoint.roles)
    # Old routers finish their streams while new ones take over.
    return engines + (2 * names.ROUTER_REPLICAS if endpoint.router_image else 0)
