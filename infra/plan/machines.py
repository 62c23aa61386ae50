"""Machines of an environment: the catalog's facts, with what the environment adds or overrides."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from infra import names
from infra.catalog.model import Catalog, Gpu
from infra.plan.model import Billing
from infra.problems import Problem, allowed
from infra.spec.environment import Environment, MachineFacts, NodeClass
from infra.spec.stack import Written

BILLINGS: tuple[Billing, ...] = get_args(Billing)
MAX_LABEL_LENGTH = 63
"""Of a label's value, by Kubernetes' rules."""

DEFAULT_VCPUS = 8
DEFAULT_MEMORY_GIB = 64.0
DEFAULT_NETWORK_GBIT_PER_S = 100.0
"""For a machine of the environment's own that says only which GPUs it has: the least worth building."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A type of GPU server that a stack may use, with every blank filled."""

    name: str
    gpu: Gpu
    gpus: int
    vcpus: int
    memory_gib: float
    network_gbit_per_s: float
    instance_types: tuple[str, ...]
    node_class: NodeClass | None
    reserved: int
    max: int
    hourly_price: float | None
    monthly_price: float | None


def machines_of(
    stack: str, environment: Written[Environment], catalog: Catalog
) -> tuple[Mapping[str, Machine], tuple[Problem, ...]]:
    """Return the environment's usable machines, and what is wrong with the others and with their names."""
    machines: dict[str, Machine] = {}
    problems: list[Problem] = [*_unknown_names(environment)]
    for name, facts in environment.value.machines.items():
        found = (*_long_name(stack, environment, name), *_complaints(environment, catalog, name, facts))
        problems += found
        if not found:
            machines[name] = _machine(environment.value, catalog, name, facts)
    return machines, tuple(problems)


def _long_name(stack: str, environment: Written[Environment], name: str) -> Iterator[Problem]:
    """Yield a problem where a node pool's name would be no label of its nodes."""
    excess = max(len(names.node_pool_name(stack, name, billing)) for billing in BILLINGS) - MAX_LABEL_LENGTH
    if excess > 0:
        pool = names.node_pool_name(stack, "<machine>", "reserved")
        message = f"machines.{name}: must be at most {len(name) - excess} characters long, because its node "
        message += f"pool is called {pool}, got {len(name)}"
        yield environment.source.problem(("machines", name), message, "machine-name")


def _complaints(
    environment: Written[Environment], catalog: Catalog, name: str, facts: MachineFacts
) -> tuple[Problem, ...]:
    path = ("machines", name)
    known = catalog.machines.get(name)
    problems: list[Problem] = []
    if known is None and (facts.gpu is None or facts.gpus is None):
        message = f"machines.{name}: not in the catalog, so gpu and gpus are needed; "
        message += f"the catalog's: {allowed(catalog.machines, name).removeprefix('allowed: ')}"
        problems.append(environment.source.problem(path, message, "unknown-machine"))
    elif environment.value.nodes == "karpenter" and not (
        facts.instance_types or (known and known.instance_types)
    ):
        message = f"machines.{name}: needs instance_types, because the catalog names none"
        problems.append(environment.source.problem(path, message, "node-class"))
    if environment.value.nodes == "karpenter" and facts.node_class is None:
        message = f"machines.{name}: needs a node_class, because nodes is karpenter"
        problems.append(environment.source.problem(path, message, "node-class"))
    if facts.gpu is not None and facts.gpu not in catalog.gpus:
        message = f"machines.{name}.gpu: no GPU {facts.gpu}; {allowed(catalog.gpus, facts.gpu)}"
        problems.append(environment.source.problem((*path, "gpu"), message, "unknown-gpu"))
    return tuple(problems)


def _machine(environment: Environment, catalog: Catalog, name: str, facts: MachineFacts) -> Machine:
    known = catalog.machines.get(name)
    gpu = facts.gpu or (known.gpu if known else "")
    price = environment.prices.of(name)
    # Public prices are in dollars: they mean nothing beside an environment's prices in another currency.
    public = known.hourly_usd if known and environment.prices.currency == "USD" else None
    return Machine(
        name=name,
        gpu=catalog.gpus[gpu],
        gpus=facts.gpus or (known.gpus if known else 1),
        vcpus=facts.vcpus or (known.vcpus if known else DEFAULT_VCPUS),
        memory_gib=facts.memory or (known.memory_gib if known else DEFAULT_MEMORY_GIB),
        network_gbit_per_s=known.network_gbit_per_s if known else DEFAULT_NETWORK_GBIT_PER_S,
        instance_types=facts.instance_types or (tuple(t.type for t in known.instance_types) if known else ()),
        node_class=facts.node_class if environment.nodes == "karpenter" else None,
        reserved=facts.reserved,
        max=facts.max,
        hourly_price=price.hourly if price else public,
        monthly_price=price.monthly if price else None,
    )


def _unknown_names(environment: Written[Environment]) -> tuple[Problem, ...]:
    machines = environment.value.machines
    named = [("prices", name) for name in (environment.value.prices.model_extra or {})] + [
        ("teams", team, "quota", name)
        for team, facts in environment.value.teams.items()
        for name in facts.quota
    ]
    return tuple(
        environment.source.problem(
            path,
            f"{'.'.join(path)}: no machine {path[-1]} in this environment; {allowed(machines, path[-1])}",
            "unknown-machine",
        )
        for path in named
        if path[-1] not in machines
    )
