"""The local cluster does what a real one does with node pools, groups of pods and autoscalers."""

from collections.abc import Iterator

import pytest

from infra.cli.machines import catalog_machines
from infra.local import cluster as local_cluster
from infra.local import processes, status
from infra.local.progress import Progress
from local.running import POD_START_SECONDS, LocalCluster, eventually

pytestmark = [pytest.mark.cluster]

Manifest = dict[str, object]

NODE_CLASS = {"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": "default"}


@pytest.fixture(scope="module")
def namespace(cluster: LocalCluster) -> Iterator[str]:
    """A namespace, and node pools for it."""
    cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "trial"}},
        _node_pool("trial-reserved", "reserved", weight=100, gpus=8),
        _node_pool("trial-on-demand", "on-demand", weight=10, gpus=64),
    )
    yield "trial"
    cluster.kubectl("delete", "namespace", "trial", "--wait")
    cluster.kubectl("delete", "nodepool", "trial-reserved", "trial-on-demand", "--wait")


def test_a_pod_that_wants_gpus_gets_a_machine_and_its_deployment_becomes_available(
    cluster: LocalCluster, namespace: str
) -> None:
    """Reserved machines are filled first; what exceeds their GPU limit lands on machines by the hour."""
    cluster.apply(_deployment("wide", namespace, replicas=2, gpus=8))
    eventually(lambda: _available(cluster, namespace, "wide"), 2)
    machines = [
        (labels["karpenter.sh/capacity-type"], labels["node.kubernetes.io/instance-type"])
        for labels in _labels(cluster, "wide", namespace)
    ]
    assert sorted(machines) == [("on-demand", "h20-8"), ("reserved", "h20-8")]
    cluster.kubectl("delete", "deployment", "wide", "-n", namespace)
    eventually(lambda: len(cluster.get("nodes", "-l", "karpenter.sh/nodepool")), 0)


def test_a_group_of_two_pods_spans_two_machines(cluster: LocalCluster, namespace: str) -> None:
    """A LeaderWorkerSet of size 2 whose pods want whole machines runs on two of them and is available."""
    cluster.apply(_group("pair", namespace, size=2, gpus=8))

    def ready() -> list[str]:
        pods = cluster.get("pods", "-n", namespace, "-l", "leaderworkerset.sigs.k8s.io/name=pair")
        return sorted({str(_at(pod, "spec", "nodeName")) for pod in pods if _is_ready(pod)})

    eventually(lambda: len(ready()), 2)
    eventually(
        lambda: cluster.kubectl(
            "get", "lws", "pair", "-n", namespace, "-o", "jsonpath={.status.readyReplicas}"
        ),
        "1",
    )
    cluster.kubectl("delete", "lws", "pair", "-n", namespace)


def test_the_autoscaler_moves_in_multiples_of_the_step_and_back_to_zero(
    cluster: LocalCluster, namespace: str
) -> None:
    """Load 1, then 5, then 0 with a formula for steps of two: 2 replicas, 6, then none."""
    metric = "vllm:num_requests_running"
    cluster.set_series("elastic", metric, 0)
    cluster.apply(
        _deployment("elastic", namespace, replicas=None, gpus=1),
        _scaled_object("elastic", namespace, metric),
    )
    eventually(lambda: _wanted(cluster, namespace, "elastic"), 0)
    seen = set()

    def wanted() -> int:
        now = _wanted(cluster, namespace, "elastic")
        seen.add(now)
        return now

    cluster.set_series("elastic", metric, 1)
    eventually(wanted, 2)
    cluster.set_series("elastic", metric, 5)
    eventually(wanted, 6)
    eventually(lambda: _available(cluster, namespace, "elastic"), 6)
    cluster.set_series("elastic", metric, 0)
    eventually(wanted, 0)
    assert set() == {count for count in seen if count % 2}
    cluster.kubectl("delete", "scaledobject", "elastic", "-n", namespace)
    cluster.kubectl("delete", "deployment", "elastic", "-n", namespace)


def test_a_claim_gets_a_volume_that_goes_with_it(cluster: LocalCluster, namespace: str) -> None:
    """A claim that names no storage class is bound, for many pods at once; deleting it leaves no volume."""
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "shared", "namespace": namespace},
            "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "100Gi"}}},
        }
    )
    eventually(lambda: [_at(one, "status", "phase") for one in cluster.get("pv")], ["Bound"])
    cluster.kubectl("delete", "pvc", "shared", "-n", namespace, "--wait")
    eventually(lambda: cluster.get("pv"), [])


@pytest.mark.parametrize("name", ["keda-operator", "etcd", "kube-apiserver"])
def test_up_repairs_what_was_killed(cluster: LocalCluster, name: str) -> None:
    """A process killed with SIGKILL runs again after the next up, under a new id; the objects are kept."""
    victim = next(one for one in processes.running(cluster.folders.cluster) if one.name == name)
    processes.kill(victim.pid)
    local_cluster.up(cluster.folders, catalog_machines(), Progress(), pod_start_seconds=POD_START_SECONDS)
    seen = {one.name: one for one in status.status(cluster.folders)}
    assert [one.name for one in seen.values() if not one.healthy] == []
    assert seen[name].pid != victim.pid
    assert cluster.get("kwoknodeclasses")[0]["apiVersion"] == "karpenter.kwok.sh/v1alpha1"


def test_up_changes_nothing_when_all_is_well(cluster: LocalCluster) -> None:
    """A second up leaves every process as it is."""
    before = processes.running(cluster.folders.cluster)
    local_cluster.up(cluster.folders, catalog_machines(), Progress(), pod_start_seconds=POD_START_SECONDS)
    assert set(before) == set(processes.running(cluster.folders.cluster))


def _at(value: object, *path: str) -> object:
    for key in path:
        assert isinstance(value, dict)
        value = value.get(key)
    return value


def _is_ready(pod: Manifest) -> bool:
    conditions = _at(pod, "status", "conditions") or []
    assert isinstance(conditions, list)
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _labels(cluster: LocalCluster, app: str, namespace: str) -> list[dict[str, str]]:
    pods = cluster.get("pods", "-n", namespace, "-l", f"app={app}")
    nodes = {str(_at(node, "metadata", "name")): node for node in cluster.get("nodes")}
    labels = [_at(nodes[str(_at(pod, "spec", "nodeName"))], "metadata", "labels") for pod in pods]
    return [one for one in labels if isinstance(one, dict)]


def _available(cluster: LocalCluster, namespace: str, name: str) -> int:
    shown = cluster.kubectl(
        "get", "deployment", name, "-n", namespace, "-o", "jsonpath={.status.availableReplicas}"
    )
    return int(shown or 0)


def _wanted(cluster: LocalCluster, namespace: str, name: str) -> int:
    return int(cluster.kubectl("get", "deployment", name, "-n", namespace, "-o", "jsonpath={.spec.replicas}"))


def _node_pool(name: str, capacity_type: str, *, weight: int, gpus: int) -> Manifest:
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {
            "weight": weight,
            "limits": {"nvidia.com/gpu": gpus},
            "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "2s"},
            "template": {
                "metadata": {"labels": {"modelunits.dev/machine": "h20-8"}},
                "spec": {
                    "nodeClassRef": {
                        "group": "karpenter.kwok.sh",
                        "kind": "KWOKNodeClass",
                        "name": "default",
                    },
                    "taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}],
                    "requirements": [
                        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": [capacity_type]},
                        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["h20-8"]},
                    ],
                },
            },
        },
    }


def _pod(app: str, gpus: int) -> Manifest:
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
            "nodeSelector": {"modelunits.dev/machine": "h20-8"},
            "containers": [
                {
                    "name": "engine",
                    "image": "vllm/vllm-openai:v0.32.0",
                    "resources": {"limits": {"nvidia.com/gpu": gpus}},
                }
            ],
        },
    }


def _deployment(name: str, namespace: str, *, replicas: int | None, gpus: int) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            **({} if replicas is None else {"replicas": replicas}),
            "selector": {"matchLabels": {"app": name}},
            "template": _pod(name, gpus),
        },
    }


def _group(name: str, namespace: str, *, size: int, gpus: int) -> Manifest:
    return {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 1,
            "leaderWorkerTemplate": {"size": size, "workerTemplate": _pod(name, gpus)},
        },
    }


def _scaled_object(name: str, namespace: str, metric: str) -> Manifest:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"name": name},
            "idleReplicaCount": 0,
            "minReplicaCount": 2,
            "maxReplicaCount": 8,
            "pollingInterval": 1,
            "cooldownPeriod": 1,
            "advanced": {
                "scalingModifiers": {
                    "formula": "ceil(load / 2) * 2",
                    "target": "1",
                    "metricType": "AverageValue",
                },
                "horizontalPodAutoscalerConfig": {
                    "behavior": {
                        "scaleDown": {"stabilizationWindowSeconds": 0},
                        "scaleUp": {"policies": [{"type": "Pods", "value": 8, "periodSeconds": 15}]},
                    }
                },
            },
            "triggers": [
                {
                    "type": "prometheus",
                    "name": "load",
                    "metadata": {
                        "serverAddress": "http://prometheus-operated.monitoring:9090",
                        "query": f'sum({metric}{{modelunits_endpoint="{name}"}}) or vector(0)',
                        "threshold": "1",
                    },
                }
            ],
        },
    }
