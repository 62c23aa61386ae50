"""`make up`: Pulumi, the cluster and the local stack, one after the other."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from infra.local import cluster, engine
from infra.local.engine import Engine, pulumi_environment
from infra.local.folders import Folders, folders
from infra.local.instance_types import InstanceType
from infra.local.progress import Progress

STACK = "local"


TAKE_OVER = {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true", "PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
"""A killed `pulumi up` leaves objects that its state does not name, under a field manager that nobody
remembers. On this cluster all are ours."""


class CommandError(Exception):
    """A command failed; it has said why itself."""


def start(
    where: Folders,
    machines: Iterable[InstanceType],
    progress: Progress,
    *,
    pod_start_seconds: float = cluster.POD_START_SECONDS,
) -> Engine:
    """Make Pulumi and the cluster ready for the local stack."""
    pieces = engine.prepare(where, progress)
    for line in pieces.lines():
        progress.note(line)
    cluster.up(where, machines, progress, pod_start_seconds=pod_start_seconds)
    return pieces


def deploy(root: Path, progress: Progress) -> None:
    """Deploy the local stack, judged by the policy pack."""
    if not _stack_exists(folders(root)):
        _pulumi(root, progress, "stack", "init", STACK)
    if locked_by_the_dead(folders(root)):
        progress.note("a run that was killed has left the stack locked")
        _pulumi(root, progress, "cancel", "--stack", STACK, "--yes")
    _pulumi(root, progress, "up", "--stack", STACK, "--policy-pack", "policies", "--yes", **TAKE_OVER)
    _run(root, progress, Path(sys.executable).parent / "modelunits", "status", STACK, "--wait")


def _stack_exists(where: Folders) -> bool:
    """Look for the stack's file: cheaper than asking the engine, and this checkout's backend is a folder."""
    return any((where.pulumi_state / ".pulumi" / "stacks").glob(f"*/{STACK}.json*"))


def locked_by_the_dead(where: Folders) -> bool:
    """Tell whether the stack is locked, and only by processes of this machine that have ended."""
    files = tuple((where.pulumi_state / ".pulumi" / "locks").glob(f"**/{STACK}/*.json"))
    return bool(files) and all(_has_ended(json.loads(file.read_text())) for file in files)


def _has_ended(lock: Mapping[str, object]) -> bool:
    if lock["hostname"] != socket.gethostname():
        return False
    try:
        os.kill(int(str(lock["pid"])), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _pulumi(root: Path, progress: Progress, *arguments: str, **variables: str) -> None:
    _run(root, progress, folders(root).programs / "pulumi", *arguments, **variables)


def _run(root: Path, progress: Progress, program: Path, *arguments: str, **variables: str) -> None:
    """Run a command that people could type themselves, with its output as theirs."""
    shown = f"{program.name} {' '.join(arguments)}"
    progress.note(f"$ {shown}")
    environment = {**pulumi_environment(root), **variables}
    done = subprocess.run([program, *arguments], cwd=root, env=environment, check=False)
    if done.returncode:
        raise CommandError(f"{shown} ended with code {done.returncode}")
