"""Run kubectl against the local cluster."""

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from infra.local.cluster_objects import Manifest
from infra.local.control_plane import ClusterError


def kubectl(program: Path, cluster: Path, *arguments: str) -> None:
    """Run kubectl; a ClusterError carries what it complains about."""
    done = subprocess.run(
        [program, f"--kubeconfig={cluster / 'kubeconfig.yaml'}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KUBECACHEDIR": str(cluster / "kubectl-cache")},
    )
    if done.returncode:
        raise ClusterError(f"kubectl {' '.join(arguments[:2])} failed:\n{done.stderr[-2000:]}")


def apply(program: Path, cluster: Path, name: str, manifests: Iterable[Manifest]) -> None:
    """Apply manifests, written to a file that people can read."""
    file = cluster / f"{name}.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}))
    owned = ("--server-side", "--force-conflicts", "--field-manager=modelunits-local")
    kubectl(program, cluster, "apply", *owned, f"-f={file}")
