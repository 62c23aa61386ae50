"""The local cluster: a real control plane and real controllers over simulated machines, on loopback."""

import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path

from infra.local import cluster_objects, control_plane, controllers, processes
from infra.local.cluster_objects import Manifest
from infra.local.commands import write_command
from infra.local.control_plane import ClusterError
from infra.local.controllers import Ports, ports_as_data
from infra.local.folders import Folders
from infra.local.folders import folders as folders_of
from infra.local.instance_types import InstanceType, instance_types_file
from infra.local.parts import CLUSTER
from infra.local.processes import Process
from infra.local.progress import Progress, elapsed
from infra.local.tool_cache import only_one
from infra.local.toolchain import Tool, Toolchain

POD_START_SECONDS = 4.0
"""How long a simulated pod takes from its machine to Ready: stands for the loading of weights."""

HEALTHY_SECONDS = 120.0
"""Controllers are up in a few seconds; a busy machine with two cores takes longer."""

STARTS = 3
"""A port that was free may be taken before a controller binds it: choose again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """How one process of the cluster does."""

    name: str
    pid: int | None
    port: int | None
    healthy: bool


def up(
    folders: Folders,
    instance_types: Iterable[InstanceType],
    progress: Progress,
    *,
    pod_start_seconds: float = POD_START_SECONDS,
) -> None:
    """Make the cluster run and be healthy; leave what is so already as it is."""
    began = time.monotonic()
    types = instance_types_file(instance_types)
    with ExitStack() as held:
        lock = folders.state / "cluster.lock"
        held.enter_context(
            only_one(lock, lambda: progress.note("another run starts the cluster of this checkout; waiting"))
        )
        tools = Toolchain(folders, progress).find_all(CLUSTER)
        write_command(folders.programs / "kubectl", str(tools["kubectl"].path))
        _drop_other_versions(folders.cluster, tools, progress)
        _control_plane(folders.cluster, tools, progress)
        for attempt in range(STARTS):
            ports = _ports(folders.cluster, again=attempt > 0)
            _objects(folders, tools, ports, pod_start_seconds, progress)
            if _controllers(folders.cluster, tools, ports, types, progress):
                break
        else:
            logs = folders.cluster / "logs"
            raise ClusterError(f"the controllers do not get healthy: see the logs in {logs}")
        with progress.step("external metrics API answers", quiet=True):
            _wait_for_external_metrics(folders.cluster, tools)
    progress.note(
        f"local cluster is up ({elapsed(time.monotonic() - began)}): KUBECONFIG={folders.kubeconfig}"
    )


def down(folders: Folders) -> None:
    """Stop every process of the cluster and remove its data, and the Pulumi state that describes it."""
    processes.stop(folders.cluster, control_plane_last(folders.cluster))
    # Their data goes with them, so nothing is gained by a slow, orderly end.
    processes.stop(folders.cluster, patience_seconds=0)
    shutil.rmtree(folders.cluster, ignore_errors=True)
    shutil.rmtree(folders.pulumi_state, ignore_errors=True)


def folder_for_tests(folders: Folders, number: int) -> Path:
    """Return a folder that stands for a checkout in tests: `down_all` finds what runs from it."""
    return folders.state / "tests" / str(number)


def down_all(checkout: Folders) -> None:
    """Stop the cluster of a checkout and those that its tests have left, and remove all state."""
    for left in (checkout.state / "tests").glob("*"):
        down(folders_of(left))
    down(checkout)
    shutil.rmtree(checkout.state, ignore_errors=True)


def control_plane_last(cluster: Path) -> tuple[str, ...]:
    """Return the processes to stop before the control plane."""
    return tuple(one.name for one in processes.running(cluster) if one.name not in control_plane.COMPONENTS)


def status(folders: Folders) -> tuple[ProcessStatus, ...]:
    """Return how every process of the cluster does."""
    alive = {one.name: one.pid for one in processes.running(folders.cluster)}
    reachable = control_plane.ready(folders.cluster)
    ports = ports_as_data(_ports(folders.cluster)) if _ports_file(folders.cluster).exists() else {}
    main_port = {
        "prometheus": ports.get("prometheus"),
        "karpenter": ports.get("karpenter_health"),
        "lws": ports.get("lws_webhooks"),
        "keda-operator": ports.get("keda_health"),
        "keda-adapter": ports.get("keda_api"),
    }
    server = control_plane.server(folders.cluster) if folders.kubeconfig.exists() else ""
    ours = tuple(
        ProcessStatus(
            name=name,
            pid=alive.get(name),
            port=int(server.rpartition(":")[2]) if server and name == "kube-apiserver" else None,
            healthy=name in alive and (reachable or name not in ("etcd", "kube-apiserver")),
        )
        for name in control_plane.COMPONENTS
    )
    theirs = tuple(
        ProcessStatus(
            name=name,
            pid=alive.get(name),
            port=main_port[name],
            healthy=name in alive and _listens(main_port[name]),
        )
        for name in controllers.names()
    )
    return (*ours, *theirs)


def log_file(folders: Folders, name: str) -> Path | None:
    """Return the log of a process, or None where it has none."""
    return next((file for file in _logs(folders) if file.stem == name), None)


def names_with_logs(folders: Folders) -> tuple[str, ...]:
    """Return the processes that have a log."""
    return tuple(file.stem for file in _logs(folders))


def _logs(folders: Folders) -> tuple[Path, ...]:
    places = (control_plane.folder(folders.cluster) / "logs", folders.cluster / "logs")
    return tuple(file for place in places for file in sorted(place.glob("*.log")))


def prometheus_address(folders: Folders) -> str:
    """Return where the stand-in for Prometheus takes the values that it answers with."""
    return f"http://127.0.0.1:{_ports(folders.cluster).prometheus}"


def set_series(folders: Folders, endpoint: str, metric: str, value: float) -> None:
    """Set what queries for a metric of an endpoint get: raise or end its load."""
    request = urllib.request.Request(
        f"{prometheus_address(folders)}/series/{endpoint}/{metric}", data=str(value).encode(), method="PUT"
    )
    urllib.request.urlopen(request, timeout=10).close()


def _drop_other_versions(cluster: Path, tools: Mapping[str, Tool], progress: Progress) -> None:
    """Start anew where the cluster was made by other versions: etcd data and flags may not fit."""
    record = cluster / "versions.json"
    now = {name: tool.part.version for name, tool in tools.items()} | {
        "kwokctl.json": json.dumps([control_plane.CONFIGURATION, control_plane.ARGUMENTS])
    }
    if record.exists() and json.loads(record.read_text()) != now:
        progress.note("the local cluster was made by other versions: starting it anew, empty")
        processes.stop(cluster, patience_seconds=0)
        shutil.rmtree(cluster)
    cluster.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(now, indent=1))


def _control_plane(cluster: Path, tools: Mapping[str, Tool], progress: Progress) -> None:
    alive = {one.name for one in processes.running(cluster)}
    dead = [name for name in control_plane.COMPONENTS if name not in alive]
    if not dead and control_plane.ready(cluster):
        return
    with progress.step("Kubernetes control plane is up"):
        if not (control_plane.folder(cluster) / "kubeconfig.yaml").exists() and alive:
            processes.stop(cluster, patience_seconds=0)  # left by a run that was killed while creating
        control_plane.create_or_start(cluster, tools)
        control_plane.wait_until_ready(cluster)


def _objects(
    folders: Folders, tools: Mapping[str, Tool], ports: Ports, pod_start_seconds: float, progress: Progress
) -> None:
    """Apply what the cluster holds before anyone deploys, unless it has been applied so already."""
    applied = folders.cluster / "applied.json"
    facts = [ports_as_data(ports), pod_start_seconds, _source_digest()]
    if applied.exists() and json.loads(applied.read_text()) == facts:
        return
    with progress.step("custom resource definitions, webhooks and simulated nodes are in place"):
        crds = cluster_objects.crds(folders.cache)
        _apply(folders.cluster, tools, "crds", crds)
        _kubectl(
            folders.cluster, tools, "wait", "--for=condition=Established", "--timeout=120s", "crd", "--all"
        )
        objects = (
            *cluster_objects.base_objects(folders.cache, pod_start_seconds),
            *cluster_objects.controller_objects(
                folders.cache,
                certificate_authority=control_plane.certificates(folders.cluster) / "ca.crt",
                lws_port=ports.lws_webhooks,
                keda_port=ports.keda_api,
            ),
        )
        _apply(folders.cluster, tools, "objects", objects)
        applied.write_text(json.dumps(facts))


def _source_digest() -> str:
    """Return a digest of the code that makes the objects."""
    return hashlib.sha256(Path(cluster_objects.__file__).read_bytes()).hexdigest()


def _controllers(
    cluster: Path, tools: Mapping[str, Tool], ports: Ports, types: str, progress: Progress
) -> bool:
    """Start the controllers that do not run as they should; tell whether all are healthy."""
    certificates = control_plane.certificates(cluster)
    controllers.write_files(cluster, certificates, ports, types)
    wanted = controllers.controllers(cluster, tools, certificates, ports)
    have = [one for one in processes.running(cluster) if one.name in controllers.names()]
    good = {
        one.name for one in have if (one.name, one.fingerprint) in {(w.name, w.fingerprint()) for w in wanted}
    }
    if len(have) != len({one.name for one in have}):
        good = set()  # twice the same: one was orphaned by a killed run
    sick = {process.name for process in wanted if process.name in good and not _answers(process.health)}
    missing = [process for process in wanted if process.name not in good - sick]
    if not missing:
        return True
    with progress.step(f"controllers are up: {', '.join(process.name for process in missing)}"):
        processes.stop(cluster, [process.name for process in missing])
        for process in missing:
            processes.start(cluster, process)
        return _wait_until_healthy(cluster, wanted)


def _wait_until_healthy(cluster: Path, wanted: Sequence[Process]) -> bool:
    """Wait until all answer; return False as soon as one has ended."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    with ThreadPoolExecutor(len(wanted)) as pool:
        while time.monotonic() < deadline:
            if all(pool.map(lambda process: _answers(process.health), wanted)):
                return True
            alive = {one.name for one in processes.running(cluster)}
            if any(process.name not in alive for process in wanted):
                return False
            time.sleep(0.3)
    return False


def _answers(address: str) -> bool:
    """Tell whether an address answers; a refusal to serve us is an answer."""
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE  # loopback, and nothing is sent
    try:
        with urllib.request.urlopen(address, timeout=3, context=trust):
            return True
    except urllib.error.HTTPError as refusal:
        return refusal.code < 500
    except (OSError, urllib.error.URLError):
        return False


def _listens(port: int | None) -> bool:
    if port is None:
        return False
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


def _wait_for_external_metrics(cluster: Path, tools: Mapping[str, Tool]) -> None:
    """Wait until the API server reaches KEDA's adapter: without it no endpoint scales."""
    _kubectl(
        cluster,
        tools,
        "wait",
        "--for=condition=Available",
        "--timeout=120s",
        "apiservice/v1beta1.external.metrics.k8s.io",
    )


def _apply(cluster: Path, tools: Mapping[str, Tool], name: str, manifests: Iterable[Manifest]) -> None:
    file = cluster / f"{name}.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}))
    _kubectl(
        cluster, tools, "apply", "--server-side", "--force-conflicts", "--field-manager=local", f"-f={file}"
    )


def _kubectl(cluster: Path, tools: Mapping[str, Tool], *arguments: str) -> None:
    done = subprocess.run(
        [tools["kubectl"].path, f"--kubeconfig={cluster / 'kubeconfig.yaml'}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=control_plane.environment(cluster, tools) | {"KUBECACHEDIR": str(cluster / "kubectl-cache")},
    )
    if done.returncode:
        raise ClusterError(f"kubectl {' '.join(arguments[:2])} failed:\n{done.stderr[-2000:]}")


def _ports_file(cluster: Path) -> Path:
    return cluster / "ports.json"


def _ports(cluster: Path, *, again: bool = False) -> Ports:
    """Return the ports of this cluster, chosen once; `again` where one of them was taken meanwhile."""
    file = _ports_file(cluster)
    if file.exists() and not again:
        return Ports(**json.loads(file.read_text()))
    names = [one.name for one in fields(Ports)]
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in names]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = Ports(**{name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)})
    file.write_text(json.dumps(ports_as_data(ports), indent=1))
    return ports
