"""Start, find and stop the processes of one local cluster, or of one stack that this machine serves.

Every process carries its folder in its environment. That, not a file of process ids, says which
processes are ours: it survives a killed `modelunits local up` and cannot name a stranger's reused id.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

OWNER = "MODELUNITS_CLUSTER"
NAME = "MODELUNITS_PROCESS"
FINGERPRINT = "MODELUNITS_FINGERPRINT"

TIDY_SECONDS = 10.0
"""How long Python's keeper of shared memory may take once its program is gone: milliseconds, or seconds on a
busy machine. Killed before, it leaves hundreds of megabytes in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A program to keep running."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    health: str
    """An address that answers, whatever it answers, when the program is up; tcp:// takes connections."""
    reads: tuple[Path, ...] = ()
    """Files whose change asks for a restart."""

    def fingerprint(self) -> str:
        """Return a digest of everything that a restart would change."""
        facts = [list(self.command), sorted(self.environment.items())]
        contents = [hashlib.sha256(file.read_bytes()).hexdigest() for file in self.reads]
        return hashlib.sha256(json.dumps([facts, contents]).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A process that runs now."""

    pid: int
    name: str
    fingerprint: str = ""


def running(cluster: Path) -> tuple[Running, ...]:
    """Return the processes of a cluster: those that carry its folder, and others that write to its logs.

    Why logs too: a program that gives itself another title overwrites its environment.
    """
    carry = {
        pid: Running(
            pid=pid,
            # kwokctl's children have no name of ours; their program's name is unique
            name=environment.get(NAME) or Path(program).name,
            fingerprint=environment.get(FINGERPRINT, ""),
        )
        for pid, program, environment in _environments(OWNER)
        if environment.get(OWNER) == str(cluster) and pid != os.getpid()
    }
    return tuple(({one.pid: one for one in _writers(cluster / "logs")} | carry).values())


def start(cluster: Path, process: Process) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one, with its output in the cluster's logs."""
    logs = cluster / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{process.name}.log").open("ab") as log:
        return subprocess.Popen(
            process.command,
            env={
                **os.environ,
                **process.environment,
                OWNER: str(cluster),
                NAME: process.name,
                FINGERPRINT: process.fingerprint(),
            },
            cwd=cluster,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def stop(cluster: Path, names: Iterable[str] | None = None, *, patience_seconds: float = 10.0) -> None:
    """Stop the processes of a cluster, or those of some names: asked first, killed if they do not."""
    chosen = None if names is None else set(names)

    def targets() -> list[int]:
        return [one.pid for one in running(cluster) if chosen is None or one.name in chosen]

    asked = time.monotonic()
    for pid in targets():
        _signal(pid, signal.SIGTERM)
    while targets() and time.monotonic() < asked + patience_seconds:
        time.sleep(0.1)
    killed = time.monotonic()
    while left := targets():
        late = time.monotonic() > killed + TIDY_SECONDS
        for pid in left:
            if late or not _tidies_up(pid):
                kill(pid)
        time.sleep(0.1)


def kill(pid: int) -> None:
    """End a process at once, whatever it does."""
    _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _tidies_up(pid: int) -> bool:
    """Tell whether a process ends by itself when all others are gone, and removes what they shared."""
    with suppress(OSError):
        return b"multiprocessing.resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _writers(logs: Path) -> Iterable[Running]:
    """Yield the processes whose output goes to logs; none where the system does not tell."""
    folder = os.path.realpath(logs)
    for output in Path("/proc").glob("[0-9]*/fd/1"):
        with suppress(OSError):
            log = Path(str(output.readlink()).removesuffix(" (deleted)"))
            if str(log.parent) == folder:
                yield Running(pid=int(output.parts[2]), name=log.stem)


def _environments(variable: str) -> Iterable[tuple[int, str, Mapping[str, str]]]:
    """Return id, program and environment of this user's processes that have a variable."""
    return _from_proc(variable) if sys.platform.startswith("linux") else _from_ps(variable)


def _from_proc(variable: str) -> Iterable[tuple[int, str, Mapping[str, str]]]:
    needle = f"{variable}=".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                environment = (folder / "environ").read_bytes()  # empty for a process that waits to be reaped
                if needle in environment:
                    program = _words((folder / "cmdline").read_bytes())[0]
                    yield int(folder.name), program, _variables(_words(environment))
            except OSError:
                continue


def _from_ps(variable: str) -> Iterable[tuple[int, str, Mapping[str, str]]]:
    listed = subprocess.run(
        ["ps", "-x", "-E", "-ww", "-o", "pid=,command="], capture_output=True, text=True, check=False
    )
    for line in listed.stdout.splitlines():
        if f"{variable}=" in line:
            pid, program, *words = line.split()
            yield int(pid), program, _variables(words)


def _words(ended_by_zero: bytes) -> list[str]:
    return ended_by_zero.decode(errors="replace").split("\0")


def _variables(words: Iterable[str]) -> Mapping[str, str]:
    return dict(word.split("=", 1) for word in words if "=" in word)
