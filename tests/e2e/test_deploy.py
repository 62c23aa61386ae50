"""What `pulumi up` makes is what the plan says, and only once."""

import json

import pytest

from tests.e2e.project import Project
from tests.e2e.seen import Seen, wait_for

pytestmark = pytest.mark.cluster


def test_the_cluster_holds_the_minimum_that_the_plan_says(project: Project, seen: Seen) -> None:
    """Replicas, GPUs and machines, counted in the cluster, are the plan's; a sleeping endpoint has none."""
    plan = project.plan()

    for endpoint in plan.endpoints:
        minimum = {role.name: role.replicas.min for role in endpoint.roles if role.replicas.min}
        wait_for(minimum, lambda name=endpoint.name: dict(seen.ready_pods("first", name)))
    wait_for(plan.totals.gpus_min, lambda: seen.gpus_used("first"))
    wait_for(plan.totals.machines_min, lambda: seen.machines("first").total())


def test_outputs_name_every_endpoint(project: Project) -> None:
    """Callers read ids and addresses from the stack's outputs."""
    plan = project.plan()

    told = project.pulumi("stack", "output", "endpoints", "--json", "--stack", "first")

    assert {e.name: {"id": e.id, "url": e.url} for e in plan.endpoints} == json.loads(told.output)
    door = project.pulumi("stack", "output", "url", "--stack", "first")
    assert "http://gateway.modelunits-first.svc/v1" == door.output.strip()


def test_a_new_endpoint_reaches_the_gateway_without_a_restart(project: Project, seen: Seen) -> None:
    """Its files change in place; no pod of the gateway is replaced, and no ConfigMap is away for a moment."""
    namespace = "modelunits-first"
    before = seen.get("v1", "ConfigMap", namespace, "gateway-config")
    pods = _gateway_pods(seen)
    assert 2 == len(pods)
    project.edit("stacks/first/chat.yaml", "team: search", "team: search\nlimits: {queue: 7}")

    told = project.up()

    assert told.code == 0, told.output
    after = seen.get("v1", "ConfigMap", namespace, "gateway-config")
    assert before.metadata.uid == after.metadata.uid
    assert before.data["clusters.json"] != after.data["clusters.json"]
    assert before.data["bootstrap.json"] == after.data["bootstrap.json"]
    assert pods == _gateway_pods(seen)


def _gateway_pods(seen: Seen) -> set[str]:
    """Return the identities of the gateway's pods: a restart changes them."""
    return {
        pod.metadata.uid
        for pod in seen.objects("v1", "Pod", "first")
        if pod.metadata.namespace == "modelunits-first"
    }


def test_a_second_up_changes_nothing(project: Project, seen: Seen) -> None:
    """Neither the engine nor the cluster sees a difference, with and without asking the cluster first."""
    before = seen.written("first")
    pods = seen.pod_ids("first", "chat")

    for command in (project.preview, project.up):
        for refresh in ((), ("--refresh",)):
            told = command("first", "--diff", "--expect-no-changes", *refresh)
            assert told.code == 0, told.output

    assert before == seen.written("first")
    assert pods == seen.pod_ids("first", "chat")


def test_modelunits_status_calls_the_endpoints_healthy_and_sleeping(project: Project) -> None:
    """Our own view of the cluster agrees, and the gateway in front is Healthy."""
    told = project.modelunits("status", "first", "--format", "json")

    seen = json.loads(told.output)
    states = {one["endpoint"]: one["state"] for one in seen["endpoints"]}
    assert states == {"agent": "Sleeping", "chat": "Healthy"}
    gateway = seen["gateway"]
    assert ("Healthy", 2, 2) == (gateway["state"], gateway["replicas_ready"], gateway["replicas_wanted"])
