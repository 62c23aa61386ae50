"""Node pools: the machines of one type and billing, enough for every unit bought on them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from infra import names
from infra.plan.machines import Machine
from infra.plan.model import Billing, NodePoolPlan, RolePlan
from infra.plan.packing import machines_for


def node_pools(
    stack: str, machines: Mapping[str, Machine], roles: Iterable[RolePlan]
) -> tuple[NodePoolPlan, ...]:
    """Return a pool per machine and billing that something is bought on, by name of the machine."""
    by_machine: dict[str, list[RolePlan]] = {}
    for role in roles:
        by_machine.setdefault(role.machine, []).append(role)
    return tuple(
        pool
        for name in sorted(by_machine)
        for pool in _pools_of(stack, machines[name], by_machine[name])
        if pool.machines_max
    )


def _pools_of(stack: str, machine: Machine, roles: list[RolePlan]) -> Iterator[NodePoolPlan]:
    reserved = _packed(roles, machine, lambda role: role.replicas.reserved)
    yield _pool(stack, machine, "reserved", reserved, reserved)
    at_least = _packed(roles, machine, lambda role: role.replicas.hourly_min)
    at_most = _packed(roles, machine, lambda role: role.replicas.hourly_max)
    yield _pool(stack, machine, "hourly", at_least, at_most)


def _packed(roles: Iterable[RolePlan], machine: Machine, instances_of: Callable[[RolePlan], int]) -> int:
    instances: Counter[int] = Counter()
    for role in roles:
        instances[role.gpus] += instances_of(role)
    return machines_for(instances, machine.gpus)


def _pool(stack: str, machine: Machine, billing: Billing, at_least: int, at_most: int) -> NodePoolPlan:
    node_class = machine.node_class
    return NodePoolPlan(
        name=names.node_pool_name(stack, machine.name, billing),
        machine=machine.name,
        billing=billing,
        machines_min=at_least,
        machines_max=at_most,
        gpus_per_machine=machine.gpus,
        instance_types=machine.instance_types,
        node_class_group=node_class.group if node_class else None,
        node_class_kind=node_class.kind if node_class else None,
        node_class_name=node_class.name if node_class else None,
    )
