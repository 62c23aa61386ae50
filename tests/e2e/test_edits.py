"""Edits change what they say, and restart no more than they must."""

import pytest

from tests.e2e.project import Project
from tests.e2e.seen import Seen, wait_for

pytestmark = pytest.mark.cluster


def _scaled(seen: Seen) -> int:
    scaler = seen.get("keda.sh/v1alpha1", "ScaledObject", "first-search", "chat-serve-hourly")
    return int(scaler.spec.maxReplicaCount)


def test_a_new_bound_reaches_the_autoscaler_and_restarts_nothing(project: Project, seen: Seen) -> None:
    """Raising hourly.max is felt by the autoscaler alone."""
    pods = seen.pod_ids("first", "chat")
    project.edit("stacks/first/chat.yaml", "max: 4", "max: 6")

    told = project.up()

    assert told.code == 0, told.output
    assert _scaled(seen) == 6
    assert pods == seen.pod_ids("first", "chat")


def test_an_engine_argument_restarts_its_endpoint_alone(project: Project, seen: Seen) -> None:
    """New arguments mean new engines, step by step; other endpoints' objects stay untouched."""
    others = {name: version for name, version in seen.written("first").items() if "chat" not in name}
    pods = seen.engine_ids("first", "chat")
    with (project.root / "stacks/first/chat.yaml").open("a") as file:
        file.write("engine_args: {max-num-seqs: 32}\n")

    told = project.up()

    assert told.code == 0, told.output
    wait_for(True, lambda: not pods & seen.engine_ids("first", "chat"))
    wait_for({"serve": 2}, lambda: dict(seen.ready_pods("first", "chat")))
    assert others == {name: version for name, version in seen.written("first").items() if "chat" not in name}


def test_a_move_to_another_team_starts_the_new_before_the_old_stops(project: Project, seen: Seen) -> None:
    """The endpoint keeps its id; its objects are made anew in the other team's namespace."""
    project.edit("stacks/first/agent.yaml", "team: assistants", "team: search")
    project.edit("stacks/Pulumi.first.yaml", "{l40s-1: 10}", "{l40s-1: 13, h100-1: 6}")

    told = project.up()

    assert told.code == 0, told.output
    router = "kubernetes:apps/v1:Deployment first-{}/agent-router {}"
    created = told.output.index(router.format("search", "created"))
    assert created < told.output.index(router.format("assistants", "deleting"))
    assert {"first-search"} == _spaces(seen, "agent-router")


def test_a_renamed_endpoint_is_a_new_one(project: Project, seen: Seen) -> None:
    """The file's name is the endpoint's: the new one gets an id of its own before the old one goes."""
    (project.root / "stacks/first/agent.yaml").rename(project.root / "stacks/first/helper.yaml")

    told = project.up()

    assert told.code == 0, told.output
    assert {"first-assistants"} == _spaces(seen, "helper-router")
    assert set() == _spaces(seen, "agent-router")


def _spaces(seen: Seen, deployment: str) -> set[str]:
    """Return the namespaces in which a Deployment of that name is."""
    found = seen.objects("apps/v1", "Deployment", "first")
    return {each.metadata.namespace for each in found if each.metadata.name == deployment}
