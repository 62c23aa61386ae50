"""Instances on machines."""

from collections import Counter
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.plan.packing import instances_per_machine, machines_for, machines_per_instance


@pytest.mark.parametrize(
    ("instances", "machines"),
    [
        ({}, 0),
        ({4: 0}, 0),
        ({8: 3}, 3),
        ({4: 3}, 2),
        ({1: 9}, 2),
        ({4: 1, 2: 2}, 1),
        ({5: 2, 3: 2}, 2),
        ({6: 2, 4: 1, 2: 4}, 3),
        ({16: 2, 8: 1}, 5),
        ({12: 1, 4: 1}, 3),
    ],
)
def test_machines_of_eight(instances: dict[int, int], machines: int) -> None:
    """Smaller instances fill what larger ones leave; one that spans machines takes whole ones."""
    assert machines == machines_for(instances, 8)


def test_spans() -> None:
    """An instance is a part of a machine, or spans whole ones."""
    assert (machines_per_instance(4, 8), instances_per_machine(4, 8)) == (1, 2)
    assert (machines_per_instance(16, 8), instances_per_machine(16, 8)) == (2, 0)


def one_by_one(sizes: list[int], gpus_per_machine: int) -> int:
    """Pack first-fit-decreasing as textbooks tell it, an instance at a time."""
    free: list[int] = []
    for size in sorted(sizes, reverse=True):
        room = next((index for index, left in enumerate(free) if left >= size), None)
        if room is None:
            free.append(gpus_per_machine - size)
        else:
            free[room] -= size
    return len(free)


@given(st.sampled_from([1, 4, 8, 16]), st.lists(st.integers(1, 16), max_size=40))
def test_counting_is_packing_one_by_one(gpus_per_machine: int, sizes: list[int]) -> None:
    """Packing by counts comes to what packing one instance after the other does."""
    fitting = [size for size in sizes if size <= gpus_per_machine]

    assert one_by_one(fitting, gpus_per_machine) == machines_for(Counter(fitting), gpus_per_machine)


def test_large_counts_need_no_loop_over_instances() -> None:
    """A hundred thousand instances are counted, not placed one by one."""
    assert machines_for({4: 100_000, 1: 100_003}, 8) == 62_501


def test_one_more_instance_never_needs_fewer_machines() -> None:
    """On machines of eight GPUs, first-fit-decreasing has none of the anomalies it can have elsewhere."""

    @cache
    def machines(counts: tuple[int, ...]) -> int:
        return machines_for({size + 1: count for size, count in enumerate(counts)}, 8)

    def all_counts(gpus_left: int, size: int) -> list[tuple[int, ...]]:
        if size == 0:
            return [()]
        return [
            (*rest, count)
            for count in range(gpus_left // size + 1)
            for rest in all_counts(gpus_left - count * size, size - 1)
        ]

    worse = [
        counts
        for counts in all_counts(20, 8)
        for size in range(8)
        if counts[size]
        and machines(counts) < machines((*counts[:size], counts[size] - 1, *counts[size + 1 :]))
    ]

    assert not worse
