"""What a cluster shows becomes one state per endpoint, in words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from infra.plan.model import Plan, Replicas, Units
from infra.status.gateway import PartSeen, gateway_state
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


GATEWAY = PartSeen(name="gateway", wanted=2, ready=2)
REDIS = PartSeen(name="redis", wanted=1, ready=1)


@pytest.mark.parametrize(
    ("parts", "state", "detail", "ready"),
    [
        ((), "Missing", "nothing of it is in the cluster; run pulumi up", 0),
        ((REDIS,), "Missing", "nothing of it is in the cluster; run pulumi up", 0),
        ((GATEWAY, REDIS), "Healthy", "", 2),
        ((replace(GATEWAY, ready=1), REDIS), "Scheduling", "1 of 2 gateway pods ready", 1),
        ((GATEWAY, replace(REDIS, ready=0)), "Scheduling", "0 of 1 redis pods ready", 2),
        (
            (replace(GATEWAY, ready=0, trouble=("image", "gateway-x: not found")), REDIS),
            "Degraded",
            "image: gateway-x: not found (0 of 2 gateway pods ready)",
            0,
        ),
        # What an old pod says while it goes is over.
        ((replace(GATEWAY, trouble=("crash", "gateway-x ended with exit code 1")), REDIS), "Healthy", "", 2),
    ],
)
def test_the_gateway_has_one_state_with_its_reason(
    parts: tuple[PartSeen, ...], state: State, detail: str, ready: int
) -> None:
    """It is Healthy once every pod is ready, those that count for it included."""
    gateway = sample_plan({}, gateway={"image": "registry.example.com/modelunits:0.1.0"}).gateway
    assert gateway is not None

    seen = gateway_state(gateway, parts)

    assert (state, detail, ready, 2) == (seen.state, seen.detail, seen.replicas_ready, seen.replicas_wanted)
    assert seen.settled == (state == "Healthy")
