"""The stacks of this repository, previewed by the real engine with no cluster in reach."""

import re
import shutil

import pytest

from infra.local import cluster, engine
from infra.local.engine import pulumi_environment
from infra.local.folders import folders
from infra.local.progress import Progress
from tests.e2e.project import PACK, ROOT, Project

pytestmark = pytest.mark.cluster

NUMBER = 91
"""Which of the folders for tests is this one's."""


@pytest.fixture(scope="module")
def repository() -> Project:
    """A copy of our own stacks and templates."""
    root = cluster.folder_for_tests(folders(ROOT), NUMBER)
    cluster.down(folders(root))
    shutil.rmtree(root, ignore_errors=True)
    engine.prepare(folders(root), Progress())
    environment = pulumi_environment(root) | {"KUBECONFIG": str(root / "none")}
    return Project(root, environment, ROOT, ("dev", "prod"))


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_stack_can_be_previewed_with_its_policies_and_without_its_cluster(
    stack: str, repository: Project
) -> None:
    """As in a pull request: everything is to be created, and no rule objects."""
    plan = repository.plan(stack)

    told = repository.preview(stack, *PACK)

    assert told.code == 0, told.output
    endpoints = set(re.findall(r"modelunits:index:Endpoint (\S+) create", told.output))
    assert {endpoint.name for endpoint in plan.endpoints} == endpoints
