"""From what a cluster shows to the state of each endpoint, in words. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from infra.plan.model import EndpointPlan, Plan

State = Literal["Healthy", "Scheduling", "Degraded", "Sleeping", "Missing"]
Trouble = Literal["no capacity", "quota", "image", "crash", "out of memory"]

NO_CAPACITY_AFTER = timedelta(minutes=10)
"""A pod that no node has taken for this long lacks capacity; GPU machines start in 3 to 8 minutes."""

_GRAVEST_FIRST: tuple[Trouble, ...] = ("out of memory", "crash", "image", "quota", "no capacity")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSeen:
    """A Deployment or LeaderWorkerSet of an endpoint's role and billing."""

    endpoint: str
    role: str
    billing: str
    wanted: int
    ready: int
    created: datetime
    trouble: tuple[Trouble, str] | None = None
    """Why it cannot make its pods, and the cluster's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """A pod of an endpoint."""

    endpoint: str
    role: str
    name: str
    node: str | None
    unschedulable_since: datetime | None = None
    trouble: tuple[Trouble, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointState:
    """One endpoint now, beside what its plan says."""

    endpoint: str
    id: str
    model: str
    template: str
    state: State
    detail: str
    units_ready: int
    units_wanted: int
    units_min: int
    units_max: int
    gpus: int
    nodes: tuple[str, ...]
    age_seconds: int | None

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be waited for."""
        return self.state in {"Healthy", "Sleeping"}


def states(
    plan: Plan, workloads: Iterable[WorkloadSeen], pods: Iterable[PodSeen], now: datetime
) -> tuple[EndpointState, ...]:
    """Return the state of every endpoint of the plan, in the plan's order."""
    of_endpoint: dict[str, list[WorkloadSeen]] = {}
    for workload in workloads:
        of_endpoint.setdefault(workload.endpoint, []).append(workload)
    pods_of: dict[str, list[PodSeen]] = {}
    for pod in pods:
        pods_of.setdefault(pod.endpoint, []).append(pod)
    return tuple(_state(e, of_endpoint.get(e.name, []), pods_of.get(e.name, []), now) for e in plan.endpoints)


def _state(
    endpoint: EndpointPlan, workloads: Sequence[WorkloadSeen], pods: Sequence[PodSeen], now: datetime
) -> EndpointState:
    state, detail = _judge(endpoint, workloads, pods, now)
    gpus_of_role = {role.name: role.gpus for role in endpoint.roles}
    return EndpointState(
        endpoint=endpoint.name,
        id=endpoint.id,
        model=endpoint.model,
        template=endpoint.template,
        state=state,
        detail=detail,
        units_ready=sum(w.ready for w in workloads),
        units_wanted=sum(w.wanted for w in workloads),
        units_min=endpoint.units.min,
        units_max=endpoint.units.max,
        gpus=sum(w.ready * gpus_of_role.get(w.role, 0) for w in workloads),
        nodes=tuple(sorted({pod.node for pod in pods if pod.node and pod.role in gpus_of_role})),
        age_seconds=int((now - min(w.created for w in workloads)).total_seconds()) if workloads else None,
    )


def _judge(
    endpoint: EndpointPlan, workloads: Sequence[WorkloadSeen], pods: Sequence[PodSeen], now: datetime
) -> tuple[State, str]:
    if not workloads:
        return "Missing", "nothing of it is in the cluster; run pulumi up"
    wanted = sum(w.wanted for w in workloads)
    ready = sum(w.ready for w in workloads)
    if wanted == 0 and endpoint.units.min == 0:
        return "Sleeping", "scaled to zero until a request comes"
    progress = f"{ready} of {max(wanted, endpoint.units.min)} units ready"
    if trouble := _gravest(workloads, pods, now):
        return "Degraded", f"{trouble[0]}: {trouble[1]} ({progress})"
    if _serves(endpoint, workloads) and ready >= endpoint.units.min:
        return "Healthy", "" if ready == wanted else f"scaling: {progress}"
    return "Scheduling", progress


def _serves(endpoint: EndpointPlan, workloads: Sequence[WorkloadSeen]) -> bool:
    """Whether at least one whole group is ready in every role."""
    ready_of_role = {role.name: 0 for role in endpoint.roles}
    for workload in workloads:
        ready_of_role[workload.role] = ready_of_role.get(workload.role, 0) + workload.ready
    return all(ready_of_role[role.name] >= role.count for role in endpoint.roles)


def _gravest(
    workloads: Sequence[WorkloadSeen], pods: Sequence[PodSeen], now: datetime
) -> tuple[Trouble, str] | None:
    troubles = [w.trouble for w in workloads if w.trouble] + [p.trouble for p in pods if p.trouble]
    troubles += [
        ("no capacity", f"no node has taken {pod.name} for {_minutes(now - pod.unschedulable_since)} min")
        for pod in pods
        if pod.unschedulable_since and now - pod.unschedulable_since >= NO_CAPACITY_AFTER
    ]
    return min(troubles, key=lambda trouble: _GRAVEST_FIRST.index(trouble[0]), default=None)


def _minutes(duration: timedelta) -> int:
    return int(duration.total_seconds() // 60)
