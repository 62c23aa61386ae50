"""A local cluster for the tests that need one: started once, in a folder of its own, gone at the end."""

import fcntl
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.cli.machines import catalog_machines
from infra.local import cluster as local_cluster
from infra.local import engine
from infra.local.engine import pulumi_environment
from infra.local.folders import folders
from infra.local.progress import Progress
from local.running import POD_START_SECONDS, LocalCluster

ROOT = Path(__file__).parents[2]


@contextmanager
def _free_folder() -> Iterator[Path]:
    """Hold a folder that no other session of this checkout uses now."""
    for number in itertools.count():
        folder = local_cluster.folder_for_tests(folders(ROOT), number)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "session.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield folder
            return


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[LocalCluster]:
    """Start a local cluster with every machine of the catalog; stop it when the session ends."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with _free_folder() as root:
        where = folders(root)
        local_cluster.down(where)  # left by a session that was killed
        try:
            with capture.global_and_fixture_disabled():  # a first build takes minutes: show how far it is
                progress = Progress()
                engine.prepare(where, progress)
                local_cluster.up(where, catalog_machines(), progress, pod_start_seconds=POD_START_SECONDS)
            yield LocalCluster(where, pulumi_environment(root))
        finally:
            local_cluster.down(where)
