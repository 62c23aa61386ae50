"""How the processes of the local cluster do, and where their logs are."""

from dataclasses import dataclass
from pathlib import Path

from infra.local import control_plane, controllers, health, ports, processes
from infra.local.folders import Folders


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """How one process of the cluster does."""

    name: str
    pid: int | None
    address: str
    healthy: bool


def status(folders: Folders) -> tuple[ProcessStatus, ...]:
    """Return how every process of the cluster does."""
    alive = {one.name: one.pid for one in processes.running(folders.cluster)}
    chosen = ports.kept(folders.cluster)
    addresses = controllers.health_addresses(chosen) if chosen else dict.fromkeys(controllers.NAMES, "")
    server = control_plane.server(folders.cluster) if folders.kubeconfig.exists() else ""
    # etcd has no address of its own to ask: the API server is not ready without it
    ready = control_plane.ready(folders.cluster)
    plane = tuple(
        ProcessStatus(
            name=name,
            pid=alive.get(name),
            address=server if name == "kube-apiserver" else "",
            healthy=name in alive and (ready or name not in ("etcd", "kube-apiserver")),
        )
        for name in control_plane.COMPONENTS
    )
    ours = tuple(
        ProcessStatus(
            name=name,
            pid=alive.get(name),
            address=address,
            healthy=name in alive and health.answers(address),
        )
        for name, address in addresses.items()
    )
    return (*plane, *ours)


def logs(folders: Folders) -> dict[str, Path]:
    """Return the log of every process that has one, by name."""
    places = (control_plane.folder(folders.cluster) / "logs", folders.cluster / "logs")
    return {file.stem: file for place in places for file in sorted(place.glob("*.log"))}
