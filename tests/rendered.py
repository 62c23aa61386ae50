"""A stack with one endpoint of every kind, rendered; and how tests look into objects."""

from collections.abc import Iterator, Mapping

from samples import sample_plan

from infra import names
from infra.render.make import Manifest, render

ENDPOINTS = {
    "chat": {
        "model": "qwen3-32b",
        "template": "h20-single",
        "units": {"reserved": 4, "hourly": {"min": 0, "max": 8}},
        "adapters": ({"name": "tone", "source": "pvc://loras/tone", "rank": 16},),
    },
    "agent": {"model": "qwen3-32b", "template": "h20-h200-pd", "units": {"hourly": {"min": 0, "max": 8}}},
    "vision": {
        "model": "qwen3-vl-32b",
        "template": "l40s-h100-h20-epd",
        "units": {"hourly": {"min": 4, "max": 8}},
    },
    "reasoning": {
        "model": {"name": "r1-ours", "base": "deepseek-r1", "weights": "s3://models/r1-ours"},
        "template": "h100-two-node",
        "units": {"reserved": 1, "hourly": {"min": 1, "max": 2}},
    },
    "vision-asleep": {
        "model": "qwen3-vl-32b",
        "template": "l40s-h100-h20-epd",
        "units": {"hourly": {"min": 0, "max": 4}},
    },
}
PLAN = sample_plan(ENDPOINTS)
MANIFESTS = render(PLAN)
WORKLOADS = ("Deployment", "LeaderWorkerSet")
WORKER_INDEX = "leaderworkerset.sigs.k8s.io/worker-index"


def body(manifest: Manifest, *path: str) -> object:
    """Return the value at a path of an object, None where there is none."""
    value: object = manifest.body
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def texts(manifest: Manifest, *path: str) -> dict[str, str]:
    """Return the mapping at a path of an object."""
    value = body(manifest, *path)

    assert isinstance(value, dict), (manifest.kind, manifest.name, path)

    return value


def of_kind(*kinds: str, manifests: tuple[Manifest, ...] = MANIFESTS) -> list[Manifest]:
    """Return the objects of some kinds."""
    return [manifest for manifest in manifests if manifest.kind in kinds]


def pod_templates(manifest: Manifest) -> list[dict]:
    """Return the pods that a workload makes: one kind, or a leader and its workers."""
    if manifest.kind == "LeaderWorkerSet":
        group = texts(manifest, "spec", "leaderWorkerTemplate")
        return [group["leaderTemplate"], group["workerTemplate"]]
    return [texts(manifest, "spec", "template")]


def pods() -> Iterator[tuple[Manifest, dict]]:
    """Yield every pod template with its workload."""
    for workload in of_kind(*WORKLOADS):
        for template in pod_templates(workload):
            yield workload, template


def containers() -> Iterator[tuple[Manifest, dict]]:
    """Yield every container, those that prepare a pod included, with its workload."""
    for workload, template in pods():
        for container in (*template["spec"].get("initContainers", ()), *template["spec"]["containers"]):
            yield workload, container


def running(workload: Manifest) -> list[dict[str, str]]:
    """Return the labels of the pods that a workload makes, as its controller sets them."""
    found = [template["metadata"]["labels"] for template in pod_templates(workload)]
    if workload.kind == "LeaderWorkerSet":
        return [{**labels, WORKER_INDEX: str(index)} for index, labels in enumerate(found)]
    return found


def selected(selector: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return the workload and index of each pod that a selector picks."""
    return {
        (workload.name, labels.get(WORKER_INDEX, "0"))
        for workload in of_kind(*WORKLOADS)
        for labels in running(workload)
        if selector.items() <= labels.items()
    }


def workloads_of(endpoint: str, role: str) -> set[tuple[str, str]]:
    """Return the pods of a role that take requests."""
    names_of_role = {names.workload_name(endpoint, role, billing) for billing in ("reserved", "hourly")}
    return {(w.name, "0") for w in of_kind(*WORKLOADS) if w.name in names_of_role}
