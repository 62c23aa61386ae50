"""Which endpoints wake and which sleep: what KEDA decides in the cluster, decided here by a stand-in. Pure.

It sees one gateway and one machine: it is no autoscaler, and never for production.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from infra.render.gateway import metrics


class State(StrEnum):
    """How an endpoint is."""

    ASLEEP = "asleep"
    WAKING = "waking"
    AWAKE = "awake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the gateway tells of an endpoint."""

    held: int
    active: int

    @property
    def any(self) -> bool:
        """Tell whether there is a request."""
        return bool(self.held or self.active)


ASKED_FOR = r"^cluster\.ep-.*(remaining_retries|upstream_rq_active|upstream_rq_pending_active)$"
"""Of the gateway's stats: by far most are histograms."""

NO_TRAFFIC = Traffic(held=0, active=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An endpoint as it is now."""

    name: str
    state: State
    traffic: Traffic
    memory_gib: float
    idle_seconds: float
    """Since its last request, or since it woke."""
    sleeps_after_seconds: float
    """Infinite for one that has to be awake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do now."""

    wake: tuple[str, ...] = ()
    sleep: tuple[str, ...] = ()
    short_of_memory: tuple[str, ...] = ()
    """Endpoints that would wake if there were room."""


def decide(seen: Sequence[Seen], free_gib: float) -> Decision:
    """Return which endpoints wake, and which sleep: the idle ones, and as many more as others need to wake.

    Why one that just woke makes no room: its first request may still be on the way to it.
    """
    # What wakes has not taken all of its memory yet.
    room = free_gib - sum(one.memory_gib for one in seen if one.state is State.WAKING)
    idle = [one for one in seen if one.state is State.AWAKE and not one.traffic.any]
    sleep = [one for one in idle if one.idle_seconds >= one.sleeps_after_seconds]
    spare = sorted(
        (one for one in idle if one not in sleep and one.idle_seconds >= QUIET_SECONDS and _may_sleep(one)),
        key=lambda one: -one.idle_seconds,
    )
    wake: list[str] = []
    short: list[str] = []
    for one in seen:
        if one.state is not State.ASLEEP or not one.traffic.held:
            continue
        if one.memory_gib <= room:
            room -= one.memory_gib
            wake.append(one.name)
        else:
            short.append(one.name)
            # It wakes when the next look finds their memory free.
            sleep += spare[:1]
            spare = spare[1:]
    return Decision(wake=tuple(wake), sleep=tuple(one.name for one in sleep), short_of_memory=tuple(short))


QUIET_SECONDS = 5.0


def _may_sleep(one: Seen) -> bool:
    return one.sleeps_after_seconds != float("inf")


def traffic(exposition: str, queues: Mapping[str, int]) -> dict[str, Traffic]:
    """Return the traffic of endpoints, by name, from the gateway's metrics and the queues' lengths."""
    remaining = _by_endpoint(exposition, metrics.REMAINING_RETRIES)
    active = _by_endpoint(exposition, metrics.ACTIVE_REQUESTS)
    pending = _by_endpoint(exposition, metrics.PENDING_REQUESTS)
    return {
        name: Traffic(
            held=queue - remaining.get(name, queue), active=active.get(name, 0) + pending.get(name, 0)
        )
        for name, queue in queues.items()
    }


def _by_endpoint(exposition: str, metric: str) -> dict[str, int]:
    return dict(_samples(exposition.splitlines(), metric))


def _samples(lines: Iterable[str], metric: str) -> Iterator[tuple[str, int]]:
    for line in lines:
        if line.startswith(f"{metric}{{"):
            endpoint = re.search(rf'{metrics.ENDPOINT_LABEL}="([^"]+)"', line)
            if endpoint:
                yield endpoint[1], round(float(line.rpartition(" ")[2]))
