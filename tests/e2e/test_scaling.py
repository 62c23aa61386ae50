"""Load moves hourly units in whole steps, from zero to the plan's maximum and back to zero."""

import pytest

from tests.e2e.conftest import Load
from tests.e2e.project import Project
from tests.e2e.seen import Seen, holds, wait_for

pytestmark = pytest.mark.cluster

RUNNING = "vllm:num_requests_running"
HELD = "envoy_cluster_circuit_breakers_default_remaining_retries"
"""The stand-in for Prometheus computes nothing: what is set is what the query for held requests gets."""


def _roles(seen: Seen, endpoint: str) -> dict[str, int]:
    return dict(seen.ready_pods("first", endpoint))


def test_load_wakes_scales_and_ends(project: Project, seen: Seen, load: Load) -> None:
    """Both roles follow the same groups; Pulumi leaves the autoscaler's replicas alone; idle means none.

    A group of this template holds 10 requests in one prefill and two decodes, and makes a step of its own.
    """
    agent = next(endpoint for endpoint in project.plan().endpoints if endpoint.name == "agent")
    assert _roles(seen, "agent") == {}

    for requests, groups in ((4, 1), (15, 2), (1000, 3)):
        load.set("agent", RUNNING, requests)
        wait_for({"prefill": groups, "decode": 2 * groups}, lambda: _roles(seen, "agent"))

    assert {role.name: role.replicas.max for role in agent.roles} == _roles(seen, "agent")
    holds(lambda: sum(_roles(seen, "agent").values()) != agent.units.max, seconds=20)
    told = project.up("first", "--refresh", "--expect-no-changes")
    assert told.code == 0, told.output
    assert sum(_roles(seen, "agent").values()) == agent.units.max
    load.end()
    wait_for({}, lambda: _roles(seen, "agent"))


def test_a_held_request_wakes_both_roles(project: Project, seen: Seen, load: Load) -> None:
    """What the gateway holds for a sleeping endpoint counts as load, and nothing else does."""
    assert _roles(seen, "agent") == {}

    load.set("agent", HELD, 1)

    wait_for({"prefill": 1, "decode": 2}, lambda: _roles(seen, "agent"))
    load.end()
    wait_for({}, lambda: _roles(seen, "agent"))


def test_full_load_brings_the_maximum_that_the_plan_says(project: Project, seen: Seen, load: Load) -> None:
    """Replicas, GPUs and machines, counted in the cluster, are the plan's."""
    plan = project.plan()
    for endpoint in plan.endpoints:
        load.set(endpoint.name, RUNNING, 10_000)

    for endpoint in plan.endpoints:
        maximum = {role.name: role.replicas.max for role in endpoint.roles}
        wait_for(maximum, lambda name=endpoint.name: _roles(seen, name))
    assert plan.totals.gpus_max == seen.gpus_used("first")
    assert plan.totals.machines_max == seen.machines("first").total()
