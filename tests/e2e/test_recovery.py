"""After a crash or a careless colleague, Pulumi finds back to what was written."""

import pytest

from tests.e2e.project import Project, kill
from tests.e2e.seen import Seen, wait_for

pytestmark = pytest.mark.cluster


DRAFT = """
model: qwen3-8b
team: search
template: pair
units:
  hourly: {min: 2, max: 2}
"""


def test_a_killed_up_is_taken_up_again(project: Project, seen: Seen) -> None:
    """What docs/edits.md says opens the lock, and takes over what was made but not written down."""
    (project.root / "stacks/first/draft.yaml").write_text(DRAFT)
    running = project.start(["pulumi", "up", "--yes", "--skip-preview", "--stack", "first"])
    wait_for(True, lambda: any("draft" in name for name in seen.written("first")))
    kill(running)

    assert project.pulumi("cancel", "--yes", "--stack", "first").code == 0
    refreshed = project.pulumi("refresh", "--yes", "--clear-pending-creates", "--stack", "first")
    assert refreshed.code == 0, refreshed.output
    told = project.up(PULUMI_K8S_UPSERT_EXISTING_OBJECTS="true", PULUMI_K8S_ENABLE_PATCH_FORCE="true")

    assert told.code == 0, told.output
    wait_for({"serve": 2}, lambda: dict(seen.ready_pods("first", "draft")))
    assert project.preview("first", "--expect-no-changes", "--refresh").code == 0


def test_a_change_by_hand_is_found_and_put_back(project: Project, seen: Seen) -> None:
    """`preview --refresh` shows drift; `up` names the field, and takes it back only when told to."""
    place = ("keda.sh/v1alpha1", "ScaledObject", "first-search", "chat-serve-hourly")
    planned = seen.get(*place).spec.maxReplicaCount
    seen.patch(*place, {"spec": {"maxReplicaCount": planned + 1}})

    found = project.preview("first", "--refresh", "--expect-no-changes", "--diff")

    assert found.code != 0
    assert "maxReplicaCount" in found.output
    refused = project.up("first", "--refresh")
    assert refused.code != 0
    assert "conflict" in refused.output
    told = project.up("first", "--refresh", PULUMI_K8S_ENABLE_PATCH_FORCE="true")
    assert told.code == 0, told.output
    assert planned == seen.get(*place).spec.maxReplicaCount


def test_what_was_deleted_by_hand_comes_back(project: Project, seen: Seen) -> None:
    """A deleted workload is found missing, and made again."""
    deployments = seen.api.resources.get(api_version="apps/v1", kind="Deployment")
    deployments.delete(name="chat-serve-reserved", namespace="first-search")
    wait_for(False, lambda: any(name.endswith("chat-serve-reserved") for name in seen.written("first")))

    told = project.up("first", "--refresh")

    assert told.code == 0, told.output
    wait_for({"serve": 2}, lambda: dict(seen.ready_pods("first", "chat")))
