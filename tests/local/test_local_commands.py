"""What `modelunits local down` and `load` say, without a cluster."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from infra.cli.main import app
from infra.local import processes
from infra.local.folders import folders
from infra.local.processes import Process

SLEEP = Process(
    name="sleep", command=(sys.executable, "-c", "import time; time.sleep(600)"), health="http://127.0.0.1:9/"
)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A project with one endpoint; what runs from it ends with the test."""
    (tmp_path / "Pulumi.yaml").write_text("name: trial\nruntime: python\n")
    (tmp_path / "stacks" / "local").mkdir(parents=True)
    (tmp_path / "stacks" / "local" / "chat.yaml").write_text("model: qwen3-32b\n")
    yield tmp_path
    for folder in _places(tmp_path):
        processes.stop(folder, patience_seconds=0)


def _places(root: Path) -> tuple[Path, ...]:
    """Return a cluster's folder, a served stack's and one that tests have left."""
    where = folders(root)
    left = folders(where.state / "tests" / "1")
    return where.cluster, where.state / "serve" / "dev", left.cluster


def _local(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["local", *arguments, "--root", str(root)])


def test_down_says_what_it_stops(root: Path) -> None:
    """It takes a while; afterwards there is nothing, and it says that too."""
    for folder in _places(root):
        folder.mkdir(parents=True)
        processes.start(folder, SLEEP)
    (_places(root)[1] / "serve.lock").touch()  # a run that was killed has left it

    first = _local(root, "down", "--all")
    again = _local(root, "down", "--all")

    assert (0, 0) == (first.exit_code, again.exit_code)
    assert first.stderr.startswith("stopped the local cluster, served stack dev, what tests have left (")
    assert again.stderr.startswith("nothing was running (")
    assert [(), (), ()] == [processes.running(folder) for folder in _places(root)]


def test_down_alone_is_for_the_cluster(root: Path) -> None:
    """A served stack goes on, and is not named."""
    _, served, _ = _places(root)
    served.mkdir(parents=True)
    processes.start(served, SLEEP)

    assert _local(root, "down").stderr.startswith("nothing was running (")
    assert ["sleep"] == [one.name for one in processes.running(served)]


def test_a_load_of_nothing_is_refused(root: Path) -> None:
    """Nobody would read it; both mistakes are told, with what is allowed."""
    refused = _local(root, "load", "chatt", "vllm:num_request_running", "4")

    assert 1 == refused.exit_code
    endpoint, metric = refused.stderr.splitlines()
    told = "modelunits: no endpoint chatt in stacks/local; allowed: chat; did you mean chat?"
    assert told == endpoint
    assert metric.startswith("no autoscaler reads vllm:num_request_running; allowed: ")
    assert metric.endswith("did you mean vllm:num_requests_running?")
