"""Reads the objects of a stack from a cluster; the only file here that talks to one."""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypedDict, TypeVar, cast

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from infra import names
from infra.kubeconfig import KubeconfigError, connect
from infra.status.gateway import PartSeen
from infra.status.state import PodSeen, Trouble, WorkloadSeen

T = TypeVar("T")

COMPONENT = "app.kubernetes.io/component"

_WAITING: dict[str, Trouble] = {
    "ErrImagePull": "image",
    "ImagePullBackOff": "image",
    "InvalidImageName": "image",
    "ImageInspectError": "image",
    "CrashLoopBackOff": "crash",
    "RunContainerError": "crash",
    "CreateContainerError": "crash",
    "CreateContainerConfigError": "crash",
}


class _Condition(TypedDict, total=False):
    type: str
    status: str
    reason: str
    message: str
    lastTransitionTime: str


class _Terminated(TypedDict, total=False):
    reason: str
    exitCode: int


class _Waiting(TypedDict, total=False):
    reason: str
    message: str


class _ContainerState(TypedDict, total=False):
    waiting: _Waiting
    terminated: _Terminated


class _Container(TypedDict, total=False):
    state: _ContainerState
    lastState: _ContainerState


class _Status(TypedDict, total=False):
    readyReplicas: int
    conditions: list[_Condition]
    initContainerStatuses: list[_Container]
    containerStatuses: list[_Container]


class _Spec(TypedDict, total=False):
    replicas: int
    nodeName: str


class _Metadata(TypedDict, total=False):
    name: str
    labels: dict[str, str]
    creationTimestamp: str
    deletionTimestamp: str


class _Object(TypedDict, total=False):
    metadata: _Metadata
    spec: _Spec
    status: _Status


class _List(TypedDict):
    items: list[_Object]


class Observed(NamedTuple):
    """What a cluster shows of a stack."""

    workloads: tuple[WorkloadSeen, ...]
    pods: tuple[PodSeen, ...]
    gateway: tuple[PartSeen, ...]


class UnreachableError(Exception):
    """The cluster cannot be asked; the message says which and why."""


def observe(context: str | None, stack: str, kubeconfig: Path | None = None) -> Observed:
    """Return the workloads and pods of a stack, and its gateway, as the cluster shows them now.

    Raises:
        UnreachableError: no kubeconfig, no such context, or no answer.
    """
    try:
        api = connect(context, kubeconfig)
    except KubeconfigError as error:
        raise UnreachableError(str(error)) from None
    selector = f"{names.LABEL_STACK}={stack}"
    deployments = _custom(api, "apps", "deployments", selector)
    workloads = (
        *deployments,
        *_custom(api, "leaderworkerset.x-k8s.io", "leaderworkersets", selector),
    )
    listed = _asked(lambda: client.CoreV1Api(api).list_pod_for_all_namespaces(label_selector=selector))
    pods = _plain(api, listed)["items"]
    return Observed(
        workloads=tuple(_workload(item) for item in workloads if _has(item, names.LABEL_BILLING)),
        pods=tuple(_pod(item) for item in pods if _has(item, names.LABEL_ENDPOINT)),
        gateway=tuple(_part(item, pods) for item in deployments if not _has(item, names.LABEL_ENDPOINT)),
    )


def _has(item: _Object, label: str) -> bool:
    return label in item["metadata"]["labels"]


def _part(item: _Object, pods: Iterable[_Object]) -> PartSeen:
    """Return one Deployment of the gateway, with the first trouble of its pods."""
    metadata = item["metadata"]
    component = metadata["labels"][COMPONENT]
    own = (
        pod
        for pod in pods
        if pod["metadata"]["labels"].get(COMPONENT) == component and not _has(pod, names.LABEL_ENDPOINT)
    )
    troubles = (_pod_trouble(pod["metadata"]["name"], pod.get("status", {})) for pod in own)
    status = item.get("status", {})
    return PartSeen(
        name=metadata["name"],
        wanted=item["spec"].get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        trouble=_workload_trouble(status) or next(filter(None, troubles), None),
    )


def _custom(api: client.ApiClient, group: str, plural: str, selector: str) -> list[_Object]:
    """List objects of a kind as plain data; none where the kind is not installed."""
    answer = _asked(
        lambda: client.CustomObjectsApi(api).list_cluster_custom_object(
            group, "v1", plural, label_selector=selector
        )
    )
    return cast("_List", answer)["items"] if answer else []


def _plain(api: client.ApiClient, value: object) -> "_List":
    return cast("_List", api.sanitize_for_serialization(value))  # type: ignore[no-untyped-call]


def _asked(question: Callable[[], T]) -> T | None:
    try:
        return question()
    except ApiException as error:
        if error.status == 404:
            return None
        raise UnreachableError(f"the cluster refuses: {error.status} {error.reason}") from None
    except HTTPError as error:
        raise UnreachableError(f"the cluster does not answer: {error}") from None


def _workload(item: _Object) -> WorkloadSeen:
    labels = item["metadata"]["labels"]
    status = item.get("status", {})
    return WorkloadSeen(
        endpoint=labels[names.LABEL_ENDPOINT],
        role=labels[names.LABEL_ROLE],
        billing=labels[names.LABEL_BILLING],
        wanted=item["spec"].get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        created=_time(item["metadata"]["creationTimestamp"]),
        trouble=_workload_trouble(status),
    )


def _workload_trouble(status: _Status) -> tuple[Trouble, str] | None:
    for condition in status.get("conditions", []):
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            message = condition.get("message", "")
            return ("quota" if "exceeded quota" in message else "crash"), _first_line(message)
    return None


def _pod(item: _Object) -> PodSeen:
    metadata, status = item["metadata"], item.get("status", {})
    return PodSeen(
        endpoint=metadata["labels"][names.LABEL_ENDPOINT],
        role=metadata["labels"][names.LABEL_ROLE],
        name=metadata["name"],
        node=item["spec"].get("nodeName"),
        unschedulable_since=next(
            (
                _time(condition["lastTransitionTime"])
                for condition in status.get("conditions", [])
                if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable"
            ),
            None,
        ),
        trouble=_pod_trouble(metadata["name"], status),
    )


def _pod_trouble(name: str, status: _Status) -> tuple[Trouble, str] | None:
    for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
        now, before = container.get("state", {}), container.get("lastState", {})
        waiting = now.get("waiting", {})
        terminated = now.get("terminated") or before.get("terminated") or _Terminated()
        failing = waiting.get("reason") in _WAITING or "terminated" in now
        if failing and terminated.get("reason") == "OOMKilled":
            return "out of memory", f"{name} was killed for memory"
        if trouble := _WAITING.get(waiting.get("reason", "")):
            return trouble, f"{name}: {_first_line(waiting.get('message') or waiting['reason'])}"
        if "terminated" in now and terminated.get("exitCode", 0) != 0:
            return "crash", f"{name} ended with exit code {terminated.get('exitCode')}"
    return None


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no message"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
