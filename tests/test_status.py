"""What a cluster shows becomes one state per endpoint, in words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from infra.plan.model import Plan, Replicas, Units
from infra.status.state import PodSeen, State, WorkloadSeen, states
from tests.samples import sample_plan

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BORN = NOW - timedelta(hours=2)


def _plan(minimum: int) -> Plan:
    plan = sample_plan({"chat": {"model": "qwen3-32b", "template": "h100-single", "units": {"reserved": 2}}})
    endpoint = plan.endpoints[0]
    role = replace(
        endpoint.roles[0],
        name="serve",
        count=1,
        gpus=2,
        replicas=Replicas(reserved=minimum, hourly_min=0, hourly_max=4),
    )
    units = Units(reserved=minimum, hourly_min=0, hourly_max=4)
    return replace(plan, endpoints=(replace(endpoint, roles=(role,), units=units),))


def _workload(billing: str, wanted: int, ready: int, **more: object) -> WorkloadSeen:
    seen = WorkloadSeen(
        endpoint="chat", role="serve", billing=billing, wanted=wanted, ready=ready, created=BORN
    )
    return replace(seen, **more)  # type: ignore[arg-type]


def _pod(**more: object) -> PodSeen:
    return replace(PodSeen(endpoint="chat", role="serve", name="chat-0", node=None), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minimum", "workloads", "pods", "state", "detail"),
    [
        (2, [], [], "Missing", "nothing of it is in the cluster; run pulumi up"),
        (2, [_workload("reserved", 2, 2)], [], "Healthy", ""),
        (2, [_workload("reserved", 2, 0)], [], "Scheduling", "0 of 2 units ready"),
        (
            2,
            [_workload("reserved", 2, 2), _workload("hourly", 4, 1)],
            [],
            "Healthy",
            "scaling: 3 of 6 units ready",
        ),
        (0, [_workload("hourly", 0, 0)], [], "Sleeping", "scaled to zero until a request comes"),
        (0, [_workload("hourly", 2, 0)], [], "Scheduling", "0 of 2 units ready"),
        (
            2,
            [_workload("reserved", 2, 1)],
            [_pod(trouble=("image", "chat-0: not found"))],
            "Degraded",
            "image: chat-0: not found (1 of 2 units ready)",
        ),
        (
            2,
            [_workload("reserved", 2, 0, trouble=("quota", "exceeded quota: gpus"))],
            [],
            "Degraded",
            "quota: exceeded quota: gpus (0 of 2 units ready)",
        ),
        (
            2,
            [_workload("reserved", 2, 0)],
            [_pod(unschedulable_since=NOW - timedelta(minutes=12))],
            "Degraded",
            "no capacity: no node has taken chat-0 for 12 min (0 of 2 units ready)",
        ),
        (
            2,
            [_workload("reserved", 2, 0)],
            [_pod(unschedulable_since=NOW - timedelta(minutes=2))],
            "Scheduling",
            "0 of 2 units ready",
        ),
        (
            2,
            [_workload("reserved", 2, 0)],
            [_pod(trouble=("crash", "exit 1")), _pod(trouble=("out of memory", "killed"))],
            "Degraded",
            "out of memory: killed (0 of 2 units ready)",
        ),
    ],
)
def test_an_endpoint_has_one_state_with_its_reason(
    minimum: int, workloads: list[WorkloadSeen], pods: list[PodSeen], state: State, detail: str
) -> None:
    """Workloads and pods decide the state; the gravest trouble is the one that is told."""
    (seen,) = states(_plan(minimum), workloads, pods, NOW)

    assert (state, detail) == (seen.state, seen.detail)


def test_units_gpus_nodes_and_age_are_counted() -> None:
    """Ready units hold their GPUs; nodes of engines are counted once; the age is the oldest workload's."""
    workloads = [_workload("reserved", 2, 2), _workload("hourly", 2, 1)]
    pods = [_pod(node="a"), _pod(node="a"), _pod(node="b"), _pod(node="c", role="router")]

    (seen,) = states(_plan(2), workloads, pods, NOW)

    assert (3, 4, 6, ("a", "b"), 7200) == (
        seen.units_ready,
        seen.units_wanted,
        seen.gpus,
        seen.nodes,
        seen.age_seconds,
    )


def test_a_disaggregated_endpoint_needs_every_role() -> None:
    """Decode alone serves nobody, however many units are ready."""
    plan = _plan(2)
    endpoint = plan.endpoints[0]
    roles = tuple(replace(endpoint.roles[0], name=name) for name in ("prefill", "decode"))
    plan = replace(plan, endpoints=(replace(endpoint, roles=roles),))
    decode_only = [_workload("reserved", 2, 2, role="decode")]

    (seen,) = states(plan, decode_only, [], NOW)

    assert "Scheduling" == seen.state
