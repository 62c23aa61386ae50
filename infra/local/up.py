"""`make up`: Pulumi, the cluster and the local stack, one after the other."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from infra.local import cluster, engine
from infra.local.engine import Engine, pulumi_environment
from infra.local.folders import Folders, folders
from infra.local.instance_types import InstanceType
from infra.local.progress import Progress

STACK = "local"


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
    _pulumi(root, progress, "up", "--stack", STACK, "--policy-pack", "policies", "--yes")
    _run(root, progress, Path(sys.executable).parent / "modelunits", "status", STACK, "--wait")


def _stack_exists(where: Folders) -> bool:
    """Look for the stack's file: cheaper than asking the engine, and this checkout's backend is a folder."""
    return any((where.pulumi_state / ".pulumi" / "stacks").glob(f"*/{STACK}.json*"))


def _pulumi(root: Path, progress: Progress, *arguments: str) -> None:
    _run(root, progress, folders(root).programs / "pulumi", *arguments)


def _run(root: Path, progress: Progress, program: Path, *arguments: str) -> None:
    """Run a command that people could type themselves, with its output as theirs."""
    shown = f"{program.name} {' '.join(arguments)}"
    progress.note(f"$ {shown}")
    done = subprocess.run([program, *arguments], cwd=root, env=pulumi_environment(root), check=False)
    if done.returncode:
        raise CommandError(f"{shown} ended with code {done.returncode}")
