"""Machines that may be used and what they cost: the catalog's, or a stack's."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.catalog.load import load_catalog
from infra.catalog.model import Catalog, Gpu
from infra.plan.machines import machines_of
from infra.problems import SpecError
from infra.spec.files import Files
from infra.spec.load import load_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedMachine:
    """A type of GPU server, with what one whole machine costs; None where that is not known."""

    name: str
    gpu: Gpu
    gpus: int
    network_gbit_per_s: float
    hourly: float | None
    monthly: float | None
    most: int | None
    """That may be used at all; None where nothing says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Machines that may be used, and their prices."""

    name: str
    """Where they are: a stack, or the catalog."""
    currency: str
    machines: Mapping[str, PricedMachine]


def catalog_market(catalog: Catalog | None = None) -> Market:
    """Return the catalog's machines at their lowest public on-demand prices."""
    catalog = catalog or load_catalog()
    return Market(
        name="the catalog",
        currency="USD",
        machines={
            name: PricedMachine(
                name=name,
                gpu=catalog.gpus[machine.gpu],
                gpus=machine.gpus,
                network_gbit_per_s=machine.network_gbit_per_s,
                hourly=machine.hourly_usd,
                monthly=None,
                most=None,
            )
            for name, machine in catalog.machines.items()
        },
    )


def stack_market(root: Path, stack: str, catalog: Catalog | None = None) -> Market:
    """Return a stack's machines at its own prices.

    Raises:
        SpecError: the stack, or a machine of it, cannot be used.
    """
    files = Files(root)
    environment = load_environment(files, stack)
    if environment is None:
        raise SpecError(files.problems)
    machines, problems = machines_of(stack, environment, catalog or load_catalog())
    if problems:
        raise SpecError(problems)
    return Market(
        name=f"stack {stack}",
        currency=environment.value.prices.currency,
        machines={
            name: PricedMachine(
                name=name,
                gpu=machine.gpu,
                gpus=machine.gpus,
                network_gbit_per_s=machine.network_gbit_per_s,
                hourly=machine.hourly_price,
                monthly=machine.monthly_price,
                most=machine.max,
            )
            for name, machine in machines.items()
        },
    )
