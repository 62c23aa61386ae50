"""The machines that the simulated cloud of the local cluster can add."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

ZONE = "local"

PODS_OF_A_MACHINE = "110"
"""Kubernetes' own default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """A machine as the simulated cloud sells it."""

    name: str
    gpus: int
    vcpus: int
    memory_gib: int
    hourly_price: float


def instance_types_file(types: Iterable[InstanceType]) -> str:
    """Write the machines as Karpenter's simulated cloud reads them, reserved and on demand."""
    return json.dumps([_instance_type(one) for one in sorted(types, key=lambda one: one.name)], indent=1)


def _instance_type(one: InstanceType) -> dict[str, object]:
    return {
        "name": one.name,
        "architecture": "amd64",
        "operatingSystems": ["linux"],
        "resources": {
            "cpu": str(one.vcpus),
            "memory": f"{one.memory_gib}Gi",
            "ephemeral-storage": "4Ti",
            "pods": PODS_OF_A_MACHINE,
            "nvidia.com/gpu": str(one.gpus),
        },
        "offerings": [
            # Reserved machines are paid anyway: a price near zero lets Karpenter prefer them.
            _offering("reserved", one.hourly_price / 1_000_000),
            _offering("on-demand", one.hourly_price),
        ],
    }


def _offering(capacity_type: str, price: float) -> dict[str, object]:
    return {
        "Price": price,
        "Available": True,
        "Requirements": [
            {"key": "karpenter.sh/capacity-type", "operator": "In", "values": [capacity_type]},
            {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [ZONE]},
        ],
    }
