"""`make up`: Pulumi, the cluster and the local stack, one after the other."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from infra.local import cluster, engine
from infra.local.engine import Engine, pulumi_environment
from infra.local.folders import Folders, folders
from infra.local.instance_types import InstanceType
from infra.local.progress import Progress

STACK = "local"


class PulumiError(Exception):
    """A `pulumi` command failed; it has said why itself."""


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


def _stack_exists(where: Folders) -> bool:
    """Look for the stack's file: cheaper than asking the engine, and this checkout's backend is a folder."""
    return any((where.pulumi_state / ".pulumi" / "stacks").glob(f"*/{STACK}.json*"))


def _pulumi(root: Path, progress: Progress, *arguments: str) -> None:
    progress.note(f"$ pulumi {' '.join(arguments)}")
    environment = pulumi_environment(root)
    done = subprocess.run(
        [str(folders(root).programs / "pulumi"), *arguments], cwd=root, env=environment, check=False
    )
    if done.returncode:
        raise PulumiError(f"pulumi {arguments[0]} ended with code {done.returncode}")
