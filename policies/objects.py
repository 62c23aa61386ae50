"""What Kubernetes objects of any program say about themselves; odd shapes say nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

from infra.names import DOMAIN, LABEL_ENDPOINT
from policies.reading import at, items_or_none, mapping_or_none, text_or_none
from policies.rule import Path, Resource

WORKLOADS = (
    "kubernetes:apps/*:Deployment",
    "kubernetes:apps/*:StatefulSet",
    "kubernetes:leaderworkerset.x-k8s.io/*:LeaderWorkerSet",
)
"""What an autoscaler can scale."""

WITH_PODS = (
    *WORKLOADS,
    "kubernetes:apps/*:DaemonSet",
    "kubernetes:apps/*:ReplicaSet",
    "kubernetes:batch/*:Job",
    "kubernetes:batch/*:CronJob",
    "kubernetes:core/*:Pod",
    "kubernetes:core/*:ReplicationController",
)

SCALED_OBJECT = "kubernetes:keda.sh/*:ScaledObject"
AUTOSCALERS = (SCALED_OBJECT, "kubernetes:autoscaling/*:HorizontalPodAutoscaler")

_POD_SPECS: tuple[Path, ...] = (
    ("spec", "template", "spec"),
    ("spec", "jobTemplate", "spec", "template", "spec"),
    ("spec", "leaderWorkerTemplate", "leaderTemplate", "spec"),
    ("spec", "leaderWorkerTemplate", "workerTemplate", "spec"),
)


def kind(resource: Resource) -> str:
    """Return the kind, such as Deployment."""
    return resource.type.rsplit(":", 1)[-1]


def object_name(resource: Resource) -> str:
    """Return the object's name in its namespace."""
    return text_or_none(resource.props, "metadata", "name") or resource.name


def namespace_of(resource: Resource) -> str:
    """Return the object's namespace."""
    return text_or_none(resource.props, "metadata", "namespace") or "default"


def label(resource: Resource, key: str) -> str | None:
    """Return one label of the object."""
    return text_or_none(resource.props, "metadata", "labels", key)


def endpoint_of(resource: Resource) -> str | None:
    """Return the endpoint that the object belongs to."""
    return label(resource, LABEL_ENDPOINT)


def is_ours(resource: Resource) -> bool:
    """Say whether Model Units made the object."""
    labels = mapping_or_none(resource.props, "metadata", "labels")
    return any(str(key).startswith(f"{DOMAIN}/") for key in labels)


def pod_specs(resource: Resource) -> Iterator[tuple[Path, object]]:
    """Yield the pods that the object describes, with where they are."""
    if kind(resource) == "Pod":
        yield ("spec",), at(resource.props, "spec")
        return
    for path in _POD_SPECS:
        spec = at(resource.props, *path)
        if spec is not None:
            yield path, spec


@dataclass(frozen=True, slots=True)
class Container:
    """A container and where it is."""

    path: Path
    body: object


def containers(path: Path, pod: object) -> Iterator[Container]:
    """Yield every container of a pod, those that prepare it included."""
    for key in ("initContainers", "containers"):
        for index, body in enumerate(items_or_none(pod, key)):
            yield Container((*path, key, index), body)


def workload_key(resource: Resource) -> str:
    """Return what names this workload among all of the cluster."""
    return f"{namespace_of(resource)}/{kind(resource)}/{object_name(resource)}"


def scaled_workload_key(scaler: Resource) -> str | None:
    """Return the key of the workload that an autoscaler scales."""
    target = at(scaler.props, "spec", "scaleTargetRef")
    name = text_or_none(target, "name")
    # KEDA scales a Deployment where no kind is given.
    of = text_or_none(target, "kind") or "Deployment"
    return f"{namespace_of(scaler)}/{of}/{name}" if name else None
