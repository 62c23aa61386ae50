"""How many machines hold instances of given sizes."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil


def machines_per_instance(gpus: int, gpus_per_machine: int) -> int:
    """Return the machines that one instance runs on: 1, or the whole machines that it spans."""
    return ceil(gpus / gpus_per_machine)


def instances_per_machine(gpus: int, gpus_per_machine: int) -> int:
    """Return the instances that fit one machine; 0 where an instance spans several."""
    return gpus_per_machine // gpus


def machines_for(instances: Mapping[int, int], gpus_per_machine: int) -> int:
    """Return the machines for so many instances of each size: largest first, on the first that has room.

    An instance that spans machines takes whole ones.
    """
    spanned = 0
    opened: tuple[_Machines, ...] = ()
    for gpus in sorted(instances, reverse=True):
        waiting = instances[gpus]
        if gpus > gpus_per_machine:
            spanned += waiting * machines_per_instance(gpus, gpus_per_machine)
            continue
        fresh = _Machines(ceil(waiting / (gpus_per_machine // gpus)), gpus_per_machine)
        filled: list[_Machines] = []
        for machines in (*opened, fresh):
            placed = min(waiting, machines.free // gpus * machines.count)
            filled += machines.after(gpus, placed) if machines is not fresh or placed else ()
            waiting -= placed
        opened = tuple(filled)
    return spanned + sum(machines.count for machines in opened)


@dataclass(frozen=True, slots=True)
class _Machines:
    """So many machines with the same GPUs left."""

    count: int
    free: int

    def after(self, gpus: int, placed: int) -> tuple["_Machines", ...]:
        """Return these machines once instances are placed on them, filling one after the other."""
        full, rest = divmod(placed, self.free // gpus) if placed else (0, 0)
        parts = (
            _Machines(full, self.free % gpus),
            _Machines(1 if rest else 0, self.free - rest * gpus),
            _Machines(self.count - full - (1 if rest else 0), self.free),
        )
        return tuple(part for part in parts if part.count)
