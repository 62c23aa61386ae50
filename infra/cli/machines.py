"""The machines that the local cluster can add: those of the catalog."""

from infra.catalog.load import load_catalog
from infra.local.instance_types import InstanceType

PRICE_OF_AN_UNPRICED_MACHINE = 1.0
"""The simulated cloud wants a price of each machine; nobody is billed by it."""


def catalog_machines() -> tuple[InstanceType, ...]:
    """Return the machines of the catalog as the simulated cloud sells them, by their own names."""
    return tuple(
        InstanceType(
            name=machine.name,
            gpus=machine.gpus,
            vcpus=machine.vcpus,
            memory_gib=round(machine.memory_gib),
            hourly_price=machine.hourly_usd or PRICE_OF_AN_UNPRICED_MACHINE,
        )
        for machine in load_catalog().machines.values()
    )
