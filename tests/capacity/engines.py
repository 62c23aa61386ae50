"""Groups for tests: a model on a machine of the catalog."""

from collections.abc import Mapping

from infra.capacity.facts import group_of
from infra.capacity.group import Group
from infra.capacity.roles import RoleStack, role_stack
from infra.catalog.curves import load_curves
from infra.catalog.load import load_catalog

CATALOG = load_catalog()


def stack(
    machine: str, *, count: int = 1, arguments: Mapping[str, object] | None = None, **sizes: int
) -> RoleStack:
    """Return a role on a machine; sizes are tensor_parallel and the like."""
    facts = CATALOG.machines[machine]
    told = {"max-model-len": 32768, "gpu-memory-utilization": 0.92, **(arguments or {})}
    return role_stack(facts, CATALOG.gpus[facts.gpu], told, count=count, **sizes)


def single(model: str, machine: str, arguments: Mapping[str, object] | None = None, **sizes: int) -> Group:
    """Return a group of one engine."""
    return group(model, serve=stack(machine, arguments=arguments, **sizes))


def group(model: str, **roles: RoleStack) -> Group:
    """Return a group of roles."""
    return group_of(CATALOG.models[model], load_curves(model), roles)
