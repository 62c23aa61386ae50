"""Processes of a cluster are found by what they carry, stopped, and not mistaken for those of others."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import health, processes
from infra.local.processes import Process

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
DEAF = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);"
    "time.sleep(600)",
)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Path]:
    """A cluster's folder; its processes end with the test."""
    yield tmp_path
    processes.stop(tmp_path, patience_seconds=0)


def _process(name: str, command: tuple[str, ...] = SLEEP, **environment: str) -> Process:
    return Process(name=name, command=command, environment=environment, health="http://127.0.0.1:9/")


def _names(cluster: Path) -> list[str]:
    return sorted(one.name for one in processes.running(cluster))


def _lives(pid: int) -> bool:
    listed = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return bool(listed.stdout.strip()) and "Z" not in listed.stdout


def test_processes_of_another_cluster_are_not_ours(cluster: Path, tmp_path: Path) -> None:
    """Two clusters on one machine keep apart, even with processes of the same name."""
    other = tmp_path / "other"
    other.mkdir()
    processes.start(cluster, _process("a"))
    processes.start(other, _process("a"))
    try:
        processes.stop(cluster)
        assert (_names(cluster), _names(other)) == ([], ["a"])
    finally:
        processes.stop(other, patience_seconds=0)


def test_only_the_named_ones_are_stopped(cluster: Path) -> None:
    """The others go on."""
    for name in ("a", "b", "c"):
        processes.start(cluster, _process(name))
    processes.stop(cluster, ["a", "c"])
    assert _names(cluster) == ["b"]


def test_one_that_does_not_listen_is_killed(cluster: Path) -> None:
    """A process that ignores SIGTERM is gone when stop returns."""
    processes.start(cluster, _process("deaf", DEAF))
    log = cluster / "logs" / "deaf.log"
    while "deaf" not in log.read_text():
        time.sleep(0.05)
    processes.stop(cluster, patience_seconds=0.2)
    assert _names(cluster) == []


def test_a_killed_one_is_not_running(cluster: Path) -> None:
    """Not even while it waits for its parent to notice."""
    processes.start(cluster, _process("a"))
    for one in processes.running(cluster):
        processes.kill(one.pid)
    processes.stop(cluster)
    assert _names(cluster) == []


def test_the_fingerprint_tells_what_a_restart_would_change(cluster: Path) -> None:
    """Command, environment and the content of the files that it reads."""
    file = cluster / "settings"
    file.write_text("1")
    before = Process(name="a", command=SLEEP, health="", reads=(file,))
    processes.start(cluster, before)
    assert [before.fingerprint()] == [one.fingerprint for one in processes.running(cluster)]
    prints = {before.fingerprint(), _process("a").fingerprint(), _process("a", LEVEL="2").fingerprint()}
    file.write_text("2")
    assert len(prints | {before.fingerprint()}) == 4


def test_one_that_ends_at_once_is_reported_with_its_last_words(cluster: Path) -> None:
    """Nobody has to wait for the time limit, or to look for the log."""
    broken = _process("broken", (sys.executable, "-c", "raise SystemExit('no such flag: --x')"))
    processes.start(cluster, broken)
    assert (broken,) == health.wait_until_well(cluster, [broken])
    assert health.last_words(cluster, broken) == "no such flag: --x\n"


def test_a_child_that_hides_its_environment_is_stopped_too(cluster: Path) -> None:
    """Engines give their children other titles, over their environments; their output still tells."""
    nameless = (
        sys.executable,
        "-c",
        "import subprocess, sys, time;"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], env={});"
        "print('started', flush=True); time.sleep(600)",
    )
    processes.start(cluster, _process("a", nameless))
    while "started" not in (cluster / "logs" / "a.log").read_text():
        time.sleep(0.05)
    assert _names(cluster) == ["a", "a"]
    pids = [one.pid for one in processes.running(cluster)]
    processes.stop(cluster)
    assert [] == [pid for pid in pids if _lives(pid)]
