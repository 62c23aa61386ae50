"""A cluster that runs, and how tests talk to it."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from infra.local import cluster as local_cluster
from infra.local.folders import Folders

POD_START_SECONDS = 1.0
"""Tests wait for many pods."""

PATIENCE_SECONDS = 180.0
"""A busy machine with two cores is slow; waiting costs nothing where things go well."""


@dataclass(frozen=True)
class LocalCluster:
    """The cluster, and how tests talk to it."""

    folders: Folders
    environment: dict[str, str]
    """For `pulumi`, `kubectl` and clients: our programs first on PATH, own Pulumi home and state."""

    def kubectl(self, *arguments: str, stdin: object = None) -> str:
        """Run kubectl; manifests go in as data."""
        done = subprocess.run(
            ["kubectl", *arguments],
            env=self.environment,
            input=None if stdin is None else json.dumps(stdin),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, *manifests: dict[str, object]) -> None:
        """Apply manifests."""
        listed = {"apiVersion": "v1", "kind": "List", "items": manifests}
        self.kubectl("apply", "--server-side", "-f", "-", stdin=listed)

    def get(self, *arguments: str) -> list[dict[str, object]]:
        """Return objects."""
        items: list[dict[str, object]] = json.loads(self.kubectl("get", *arguments, "-o", "json"))["items"]
        return items

    def set_series(self, endpoint: str, metric: str, value: float) -> None:
        """Set what the stand-in for Prometheus answers about a metric of an endpoint."""
        local_cluster.set_series(self.folders, endpoint, metric, value)


def wait_for_minute_with(seconds_left: float) -> None:
    """Wait until the minute that goes on has so many seconds left: limits count whole minutes."""
    while 60 - time.time() % 60 < seconds_left:
        time.sleep(0.5)


def eventually(
    what: Callable[[], object], expected: object, patience_seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until something is as expected; then, or when patience ends, assert it."""
    deadline = time.monotonic() + patience_seconds
    while (seen := what()) != expected and time.monotonic() < deadline:
        time.sleep(0.5)
    assert expected == seen
