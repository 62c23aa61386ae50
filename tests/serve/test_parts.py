"""The gateway's processes: started, started again, and given up."""

import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import ports, processes
from infra.local.health import TCP
from infra.local.processes import Process
from infra.local.progress import Progress
from infra.local.serve.errors import ServeError
from infra.local.serve.lease import Told, ends_when_told, lease
from infra.local.serve.parts import Parts, gives_up
from infra.local.serve.place import ServeFolder

LISTEN = (
    "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[ServeFolder]:
    """The folder of a run; its processes end with the test."""
    found = ServeFolder(path=tmp_path)
    yield found
    processes.stop(found.path, patience_seconds=0)


def _part(script: str) -> Process:
    (port,) = ports.quiet(1)
    command = (sys.executable, "-c", script, str(port))
    return Process(name="part", command=command, health=f"{TCP}127.0.0.1:{port}")


def test_a_part_that_does_not_start_is_named_with_its_last_words(folder: ServeFolder) -> None:
    """Nobody has to look for the log."""
    parts = Parts([_part("raise SystemExit('no such file: x')")], folder, Progress(io.StringIO()))
    with pytest.raises(ServeError, match=r"(?s)part has ended: code 1; the end of .*no such file: x"):
        parts.start()


def test_a_part_that_dies_is_started_again_and_given_up_when_it_goes_on_dying(folder: ServeFolder) -> None:
    """Each death is said."""
    said = io.StringIO()
    parts = Parts([_part(LISTEN)], folder, Progress(said))
    parts.start()

    def die() -> None:
        (before,) = processes.running(folder.path)
        os.kill(before.pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while [before] == list(processes.running(folder.path)) or not processes.running(folder.path):
            assert time.monotonic() < deadline
            parts.mend()
            time.sleep(0.05)

    die()
    die()
    with pytest.raises(ServeError, match="part ends again and again"):
        die()
    assert said.getvalue().count("part has ended: killed by signal 9") == 3
    assert said.getvalue().count("part is started again") == 2


@pytest.mark.parametrize(
    ("died_at", "expected"),
    [((), False), ((0.0, 1.0), False), ((0.0, 1.0, 2.0), True), ((0.0, 99.0, 100.0), False)],
)
def test_three_deaths_in_a_minute_are_too_many(died_at: tuple[float, ...], expected: bool) -> None:
    """Rare ones are not."""
    assert expected == gives_up(died_at, 100.0 if 100.0 in died_at else 3.0)


def test_one_run_serves_a_stack_and_only_keys_and_logs_outlive_it(folder: ServeFolder) -> None:
    """A second is told so, and the first one's processes and temporary files go with it."""
    with lease(folder) as temporary:
        processes.start(folder.path, _part("import time; time.sleep(600)"))
        folder.keys.mkdir()
        folder.record.write_text("{}")
        told = r"another run serves this stack; .*serve\.json says where"
        with pytest.raises(ServeError, match=told), lease(folder):
            pass
        assert temporary.is_dir()
    assert {"keys", "logs", "serve.lock"} == {file.name for file in folder.path.iterdir()}
    assert (processes.running(folder.path), temporary.exists()) == ((), False)


@pytest.mark.parametrize(("number", "told"), [(signal.SIGTERM, True), (signal.SIGINT, False)])
def test_a_run_knows_whether_another_program_ended_it(number: signal.Signals, told: bool) -> None:
    """Who pressed Ctrl-C needs no word about it; others read why it is gone."""
    with pytest.raises(Told) as ended, ends_when_told():
        signal.raise_signal(number)
    assert told == ended.value.by_another_program
