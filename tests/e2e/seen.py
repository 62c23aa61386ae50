"""What the test cluster holds, counted by hand: nothing here knows how a plan is made."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes import client, config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError

STACK = "modelunits.dev/stack"
ENDPOINT = "modelunits.dev/endpoint"
ROLE = "modelunits.dev/role"
POOL = "modelunits.dev/pool"

NAMESPACED = (
    ("apps/v1", "Deployment"),
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("v1", "Service"),
    ("v1", "Pod"),
    ("v1", "ResourceQuota"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
)
CLUSTER_WIDE = (
    ("v1", "Namespace"),
    ("v1", "Node"),
    ("karpenter.sh/v1", "NodePool"),
    ("karpenter.sh/v1", "NodeClaim"),
)

WAIT_SECONDS = 300
"""Every wait ends in seconds on an idle machine; a busy one may take its time."""


@dataclass(frozen=True)
class Seen:
    """A cluster to look at and, where a test plays the careless colleague, to change."""

    api: DynamicClient

    @classmethod
    def of(cls, kubeconfig: str) -> "Seen":
        """Look at the cluster of a kubeconfig."""
        return cls(DynamicClient(config.new_client_from_config(kubeconfig)))

    def objects(self, version: str, kind: str, stack: str) -> list[Any]:
        """Return the objects of a kind that belong to a stack."""
        resource = self.api.resources.get(api_version=version, kind=kind)
        return list(resource.get(label_selector=f"{STACK}={stack}").items)

    def everything(self, stack: str) -> dict[str, str]:
        """Return the version of every object of a stack, by kind, namespace and name."""
        return {
            f"{kind}/{item.metadata.namespace or ''}/{item.metadata.name}": item.metadata.resourceVersion
            for version, kind in (*NAMESPACED, *CLUSTER_WIDE)
            for item in self.objects(version, kind, stack)
        }

    def written(self, stack: str) -> dict[str, int]:
        """Return the generation of every object whose spec people or programs write."""
        return {
            f"{kind}/{item.metadata.namespace or ''}/{item.metadata.name}": item.metadata.generation or 0
            for version, kind in (*NAMESPACED, *CLUSTER_WIDE)
            if kind not in {"Pod", "Node", "NodeClaim"}
            for item in self.objects(version, kind, stack)
        }

    def ready_pods(self, stack: str, endpoint: str) -> Counter[str]:
        """Return how many pods of each role of an endpoint are ready and stay."""
        return Counter(
            pod.metadata.labels[ROLE]
            for pod in self.objects("v1", "Pod", stack)
            if pod.metadata.labels.get(ENDPOINT) == endpoint
            and pod.metadata.labels[ROLE] != "router"
            and pod.metadata.deletionTimestamp is None
            and any(c.type == "Ready" and c.status == "True" for c in (pod.status.conditions or ()))
        )

    def pod_ids(self, stack: str, endpoint: str) -> set[str]:
        """Return the identities of an endpoint's pods: a restart changes them."""
        return {
            pod.metadata.uid
            for pod in self.objects("v1", "Pod", stack)
            if pod.metadata.labels.get(ENDPOINT) == endpoint
        }

    def engine_ids(self, stack: str, endpoint: str) -> set[str]:
        """Return the identities of an endpoint's engines, without its routers."""
        return {
            pod.metadata.uid
            for pod in self.objects("v1", "Pod", stack)
            if pod.metadata.labels.get(ENDPOINT) == endpoint and pod.metadata.labels[ROLE] != "router"
        }

    def gpus_used(self, stack: str) -> int:
        """Return the GPUs that the stack's pods hold."""
        return sum(
            int((container.resources.limits or {}).get("nvidia.com/gpu", 0))
            for pod in self.objects("v1", "Pod", stack)
            if pod.metadata.deletionTimestamp is None
            for container in pod.spec.containers
        )

    def machines(self, stack: str) -> Counter[str]:
        """Return the nodes of a stack by instance type."""
        return Counter(
            node.metadata.labels["node.kubernetes.io/instance-type"]
            for node in self.objects("v1", "Node", stack)
        )

    def patch(self, version: str, kind: str, namespace: str, name: str, body: Mapping[str, object]) -> None:
        """Change an object by hand."""
        resource = self.api.resources.get(api_version=version, kind=kind)
        resource.patch(name=name, namespace=namespace, body=body, content_type="application/merge-patch+json")

    def get(self, version: str, kind: str, namespace: str, name: str) -> Any:
        """Return one object."""
        return self.api.resources.get(api_version=version, kind=kind).get(name=name, namespace=namespace)


def wait_for(wanted: object, look: Callable[[], object]) -> None:
    """Wait until a look at the cluster shows what is wanted."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (seen := look()) != wanted:
        assert time.monotonic() < deadline, f"wanted {wanted}, still {seen}"
        time.sleep(1)


def holds(never: Callable[[], bool], seconds: float) -> None:
    """Check for a while that something never happens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert not never()
        time.sleep(1)


__all__ = ["ConflictError", "NotFoundError", "Seen", "client", "holds", "wait_for"]
