"""What units cost: their share of the machines that they are bought on, at the environment's prices.

Shares of machines do not add up to whole ones: a stack pays for machines, so its totals count those.
"""

from collections.abc import Iterable, Mapping

from infra.capacity.commitment import HOURS_PER_MONTH
from infra.plan.machines import Machine
from infra.plan.model import Cost, NodePoolPlan, RolePlan


def endpoint_cost(roles: Iterable[tuple[RolePlan, Machine]], currency: str, tps_at_peak: float) -> Cost:
    """Return the cost of an endpoint's units, and of a million tokens where all of them are busy."""
    placed = tuple(roles)
    reserved = _sum((_share(role, role.replicas.reserved), machine.monthly_price) for role, machine in placed)
    hourly_min = _sum(
        (_share(role, role.replicas.hourly_min), machine.hourly_price) for role, machine in placed
    )
    hourly_max = _sum(
        (_share(role, role.replicas.hourly_max), machine.hourly_price) for role, machine in placed
    )
    return Cost(
        currency=currency,
        reserved_monthly=_money(reserved),
        hourly_min=_money(hourly_min),
        hourly_max=_money(hourly_max),
        per_million_tokens=_per_million_tokens(reserved, hourly_max, tps_at_peak),
    )


def total_cost(pools: Iterable[NodePoolPlan], machines: Mapping[str, Machine], currency: str) -> Cost:
    """Return the cost of a stack's whole machines; tokens of different models do not add up."""
    known = tuple(pools)
    reserved = [pool for pool in known if pool.billing == "reserved"]
    hourly = [pool for pool in known if pool.billing == "hourly"]
    return Cost(
        currency=currency,
        reserved_monthly=_money(
            _sum((pool.machines_max, machines[pool.machine].monthly_price) for pool in reserved)
        ),
        hourly_min=_money(_sum((pool.machines_min, machines[pool.machine].hourly_price) for pool in hourly)),
        hourly_max=_money(_sum((pool.machines_max, machines[pool.machine].hourly_price) for pool in hourly)),
        per_million_tokens=None,
    )


def _share(role: RolePlan, instances: int) -> float:
    """Return the machines that instances pay for: parts of one, or the whole ones that each spans."""
    of_one = (
        role.machines_per_instance if role.instances_per_machine == 0 else role.gpus / role.gpus_per_machine
    )
    return instances * of_one


def _sum(priced: Iterable[tuple[float, float | None]]) -> float | None:
    """Return the sum of amounts times prices; None where something is bought that has no price."""
    total = 0.0
    for amount, price in priced:
        if amount and price is None:
            return None
        total += amount * (price or 0.0)
    return total


def _money(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 2)


def _per_million_tokens(
    reserved_monthly: float | None, hourly_max: float | None, tps_at_peak: float
) -> float | None:
    if reserved_monthly is None or hourly_max is None or tps_at_peak == 0:
        return None
    hour = reserved_monthly / HOURS_PER_MONTH + hourly_max
    return round(hour / (tps_at_peak * 3600) * 1e6, 4)
