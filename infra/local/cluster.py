"""The local cluster: a real control plane and real controllers over simulated machines, on loopback."""

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path

from infra.local import cluster_objects, control_plane, controllers, health, ports, processes
from infra.local.commands import write_command
from infra.local.control_plane import ClusterError
from infra.local.folders import Folders
from infra.local.folders import folders as folders_of
from infra.local.instance_types import InstanceType, instance_types_file
from infra.local.kubectl import apply, kubectl
from infra.local.parts import CLUSTER
from infra.local.ports import Ports
from infra.local.processes import Process
from infra.local.progress import Progress, elapsed
from infra.local.serve import lease
from infra.local.serve.place import ServeFolder
from infra.local.tool_cache import only_one
from infra.local.toolchain import Tool, Toolchain

POD_START_SECONDS = 4.0
"""How long a simulated pod takes from its machine to Ready: stands for the loading of weights."""

STARTS = 3
"""A port that was free may be taken before a controller binds it: choose again."""


def up(
    folders: Folders,
    instance_types: Iterable[InstanceType],
    progress: Progress,
    *,
    pod_start_seconds: float = POD_START_SECONDS,
) -> None:
    """Make the cluster run and be healthy; leave what is so already as it is."""
    began = time.monotonic()
    with _alone(folders.state / "cluster.lock", "another run starts this cluster; waiting", progress):
        tools = Toolchain(folders, progress).find_all(CLUSTER)
        write_command(folders.programs / "kubectl", str(tools["kubectl"].path))
        _drop_other_versions(folders, tools, progress)
        if not control_plane.well(folders.cluster):
            with _port_choice(folders, progress), progress.step("Kubernetes control plane is up"):
                control_plane.create_or_start(folders.cluster, tools)
        for _ in range(STARTS):
            chosen = ports.kept(folders.cluster) or ports.choose(folders.cluster)
            _put_objects(folders, tools, chosen, pod_start_seconds, progress)
            if _start_controllers(folders, tools, chosen, instance_types_file(instance_types), progress):
                break
            ports.choose(folders.cluster)
        else:
            raise ClusterError("the controllers find no free ports on this machine")
        # Until the API server reaches KEDA's adapter, no endpoint scales.
        external_metrics = "apiservice/v1beta1.external.metrics.k8s.io"
        _kubectl(
            folders.cluster, tools, "wait", "--for=condition=Available", "--timeout=180s", external_metrics
        )
    took = elapsed(time.monotonic() - began)
    progress.note(f"local cluster is up ({took}): KUBECONFIG={folders.kubeconfig}")


def down(folders: Folders) -> None:
    """Stop every process of the cluster and remove its data, and the Pulumi state that describes it."""
    # Their data goes with them, so nothing is gained by a slow, orderly end.
    processes.stop(folders.cluster, patience_seconds=0)
    shutil.rmtree(folders.cluster, ignore_errors=True)
    shutil.rmtree(folders.pulumi_state, ignore_errors=True)


def folder_for_tests(folders: Folders, number: int) -> Path:
    """Return a folder that stands for a checkout in tests: `down_all` finds what runs from it."""
    return folders.state / "tests" / str(number)


def down_all(checkout: Folders) -> None:
    """Stop the cluster of a checkout, those that its tests have left and served stacks; remove all state."""
    for served in _served(checkout):
        lease.end(served)
    for left in _left_by_tests(checkout):
        down(left)
    down(checkout)
    shutil.rmtree(checkout.state, ignore_errors=True)


def what_runs(checkout: Folders, *, everything: bool) -> tuple[str, ...]:
    """Return in words what `down`, or `down_all` where everything is meant, would stop."""
    found = ["the local cluster"] if processes.running(checkout.cluster) else []
    if everything:
        found += [f"served stack {one.path.name}" for one in _served(checkout) if lease.held(one)]
        tests = (left.cluster for left in _left_by_tests(checkout))
        found += ["what tests have left"] if any(map(processes.running, tests)) else []
    return tuple(found)


def _served(checkout: Folders) -> tuple[ServeFolder, ...]:
    return tuple(ServeFolder(path=path) for path in sorted((checkout.state / "serve").glob("*")))


def _left_by_tests(checkout: Folders) -> tuple[Folders, ...]:
    return tuple(folders_of(path) for path in (checkout.state / "tests").glob("*"))


def set_series(folders: Folders, endpoint: str, metric: str, value: float) -> None:
    """Set what queries for a metric of an endpoint get: raise or end its load."""
    chosen = ports.kept(folders.cluster)
    if chosen is None:
        raise ClusterError("the cluster has not been started")
    controllers.put_series(chosen, endpoint, metric, value)


def _drop_other_versions(folders: Folders, tools: Mapping[str, Tool], progress: Progress) -> None:
    """Start anew where the cluster was made by other versions: etcd data and flags may not fit."""
    record = folders.cluster / "versions.json"
    now = [{name: tool.part.version for name, tool in tools.items()}, control_plane.SETTINGS]
    if record.exists() and json.loads(record.read_text()) != now:
        progress.note("the local cluster was made by other versions: starting it anew, empty")
        down(folders)
    for folder in (folders.cluster, folders.pulumi_state):
        folder.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(now, indent=1))


def _put_objects(
    folders: Folders, tools: Mapping[str, Tool], chosen: Ports, pod_start_seconds: float, progress: Progress
) -> None:
    """Apply what the cluster holds before anyone deploys, unless it has been applied so already."""
    applied = folders.cluster / "applied.json"
    code = hashlib.sha256(Path(cluster_objects.__file__).read_bytes()).hexdigest()
    facts = [asdict(chosen), pod_start_seconds, code]
    if applied.exists() and json.loads(applied.read_text()) == facts:
        return
    with progress.step("custom resource definitions, webhooks and simulated nodes are in place"):
        program = tools["kubectl"].path
        apply(program, folders.cluster, "crds", cluster_objects.crds(folders.cache))
        established = ("--for=condition=Established", "--timeout=180s", "crd", "--all")
        _kubectl(folders.cluster, tools, "wait", *established)
        objects = (
            *cluster_objects.base_objects(folders.cache, pod_start_seconds),
            *cluster_objects.controller_objects(
                folders.cache,
                certificate_authority=control_plane.certificates(folders.cluster) / "ca.crt",
                lws_port=chosen.lws_webhooks,
                keda_port=chosen.keda_api,
            ),
        )
        apply(program, folders.cluster, "objects", objects)
        applied.write_text(json.dumps(facts))


def _start_controllers(
    folders: Folders, tools: Mapping[str, Tool], chosen: Ports, types: str, progress: Progress
) -> bool:
    """Start the controllers that do not run as they should; False where one of their ports is taken."""
    certificates = control_plane.certificates(folders.cluster)
    controllers.write_files(folders.cluster, certificates, chosen, types)
    wanted = controllers.controllers(folders.cluster, tools, certificates, chosen)
    missing = _not_as_wanted(folders.cluster, wanted)
    if not missing:
        return True
    names = [process.name for process in missing]
    with _port_choice(folders, progress), progress.step(f"controllers are up: {', '.join(names)}"):
        processes.stop(folders.cluster, names)
        for process in missing:
            processes.start(folders.cluster, process)
        left = health.wait_until_well(folders.cluster, wanted)
    for process in left:
        words = health.last_words(folders.cluster, process)
        if health.PORT_TAKEN not in words:
            log = folders.cluster / "logs" / f"{process.name}.log"
            raise ClusterError(f"{process.name} does not get healthy; the end of {log}:\n{words}")
    return not left


def _not_as_wanted(cluster: Path, wanted: Iterable[Process]) -> tuple[Process, ...]:
    """Return the processes that do not run, run with other settings, run twice or do not answer."""
    have = processes.running(cluster)
    as_wanted = tuple(
        process
        for process in wanted
        if [one.fingerprint for one in have if one.name == process.name] == [process.fingerprint()]
    )
    sick = health.sick(as_wanted)
    return tuple(process for process in wanted if process not in as_wanted or process in sick)


@contextmanager
def _alone(lock: Path, waiting: str, progress: Progress) -> Iterator[None]:
    with only_one(lock, lambda: progress.note(waiting)):
        yield


def _port_choice(folders: Folders, progress: Progress) -> AbstractContextManager[None]:
    """Hold the right to take ports: two clusters that start at once would choose the same."""
    return _alone(folders.cache / "ports.lock", "another cluster starts on this machine; waiting", progress)


def _kubectl(cluster: Path, tools: Mapping[str, Tool], *arguments: str) -> None:
    kubectl(tools["kubectl"].path, cluster, *arguments)
