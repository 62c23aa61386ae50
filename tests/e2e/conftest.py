"""One small project with a cluster of its own, deployed once and put back after every test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.cli.machines import catalog_machines
from infra.local import cluster, up
from infra.local.engine import pulumi_environment
from infra.local.folders import folders
from infra.local.progress import Progress
from tests.e2e.project import ROOT, Project
from tests.e2e.seen import Seen

NUMBER = 90
"""Which of the folders for tests is this one's."""


@pytest.fixture(scope="session")
def empty_project() -> Iterator[Project]:
    """The test project beside a running cluster, with nothing deployed."""
    root = cluster.folder_for_tests(folders(ROOT), NUMBER)
    where = folders(root)
    cluster.down(where)  # what a killed run left
    shutil.rmtree(root, ignore_errors=True)
    up.start(where, catalog_machines(), Progress(), pod_start_seconds=1.0)
    yield Project(root, pulumi_environment(root))
    cluster.down(where)


@pytest.fixture(scope="session")
def seen(empty_project: Project) -> Seen:
    """The cluster, to look at."""
    return Seen.of(str(folders(empty_project.root).kubeconfig))


@pytest.fixture(scope="session")
def deployed_once(empty_project: Project) -> Project:
    """The test project with its first stack deployed."""
    told = empty_project.up()
    assert told.code == 0, told.output
    return empty_project


@pytest.fixture
def project(deployed_once: Project) -> Iterator[Project]:
    """The deployed project; files and cluster are put back afterwards."""
    yield deployed_once
    if deployed_once.restore():
        told = deployed_once.up()
        assert told.code == 0, told.output


@pytest.fixture
def load(empty_project: Project) -> Iterator["Load"]:
    """What the autoscaler reads; nobody calls before and after a test."""
    load = Load(empty_project.root)
    yield load
    load.end()


class Load:
    """Sets what the stand-in for Prometheus answers for endpoints."""

    def __init__(self, root: Path) -> None:
        self._where = folders(root)
        self._set: set[tuple[str, str]] = set()

    def set(self, endpoint: str, metric: str, value: float) -> None:
        """Make an endpoint that busy."""
        self._set.add((endpoint, metric))
        cluster.set_series(self._where, endpoint, metric, value)

    def end(self) -> None:
        """Let everybody go home."""
        for endpoint, metric in self._set:
            cluster.set_series(self._where, endpoint, metric, 0)
