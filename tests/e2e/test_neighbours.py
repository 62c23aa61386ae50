"""Stacks share a cluster without touching each other, and leave nothing behind."""

import pytest

from tests.e2e.project import Project
from tests.e2e.seen import Seen, wait_for

pytestmark = pytest.mark.cluster


def test_a_second_stack_shares_the_cluster_and_leaves_nothing(project: Project, seen: Seen) -> None:
    """The same names live side by side on machines of their own; destroy removes one stack whole."""
    first = seen.written("first")
    pods = seen.pod_ids("first", "chat")

    told = project.up("second")

    assert told.code == 0, told.output
    plan = project.plan("second")
    for endpoint in plan.endpoints:
        minimum = {role.name: role.replicas.min for role in endpoint.roles}
        wait_for(minimum, lambda name=endpoint.name: dict(seen.ready_pods("second", name)))
    wait_for(plan.totals.machines_min, lambda: seen.machines("second").total())
    assert first == seen.written("first")
    assert pods == seen.pod_ids("first", "chat")

    gone = project.pulumi("destroy", "--yes", "--skip-preview", "--stack", "second")

    assert gone.code == 0, gone.output
    wait_for({}, lambda: seen.everything("second"))
    assert first == seen.written("first")
