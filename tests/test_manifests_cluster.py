"""A real API server takes every object: built-in kinds by its own schemas, others by their definitions."""

import copy
import json
import subprocess
from collections.abc import Iterator

import pytest
from local.running import LocalCluster, eventually
from rendered import MANIFESTS, of_kind, pods, texts

from infra.render.make import Manifest

pytestmark = pytest.mark.cluster

FIRST = ("Namespace", "ServiceAccount")
"""Kinds that others cannot be tried without."""

KINDS = sorted({manifest.kind for manifest in MANIFESTS})


@pytest.fixture(scope="module")
def prepared(cluster: LocalCluster) -> Iterator[LocalCluster]:
    """A cluster that has the namespaces and accounts, and nothing else of ours."""
    prerequisites = [plain(manifest) for manifest in of_kind(*FIRST)]
    cluster.apply(*prerequisites)
    yield cluster
    for manifest in of_kind("Namespace"):
        cluster.kubectl("delete", "namespace", manifest.name, "--wait")


def plain(manifest: Manifest) -> dict[str, object]:
    """Return a copy of an object that a test may change."""
    return copy.deepcopy(dict(manifest.body))


def refusal(cluster: LocalCluster, *objects: dict[str, object]) -> str:
    """Return what the API server has against objects, having stored none of them."""
    done = subprocess.run(
        ["kubectl", "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"],
        env=cluster.environment,
        input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_api_server_takes_every_object(prepared: LocalCluster, kind: str) -> None:
    """Every field is known and every value valid, by the schemas of the pinned versions."""
    assert "" == refusal(prepared, *(plain(manifest) for manifest in of_kind(kind)))


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind not in {"ServiceAccount", "RoleBinding", "Role"}]
)
def test_the_api_server_would_refuse_a_misspelt_field(prepared: LocalCluster, kind: str) -> None:
    """The test above can fail: a field that the schema lacks is refused, for every kind."""
    misspelt = plain(of_kind(kind)[0])
    spec = misspelt.get("spec", {})
    assert isinstance(spec, dict)
    misspelt["spec"] = {**spec, "replicsa": 1}

    assert "replicsa" in refusal(prepared, misspelt)


def test_namespaces_admit_every_pod(prepared: LocalCluster) -> None:
    """Pods pass the restricted profile that their namespace enforces."""
    found = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**template["metadata"], "name": f"trial-{number}", "namespace": workload.namespace},
            "spec": template["spec"],
        }
        for number, (workload, template) in enumerate(pods())
        # A router's account is made with its endpoint.
        if not workload.name.endswith("-router")
    ]

    assert "" == refusal(prepared, *found)


def test_namespaces_refuse_a_pod_that_may_do_more(prepared: LocalCluster) -> None:
    """The test above can fail: a pod that could gain rights is not admitted."""
    workload, template = next(pods())
    pod = copy.deepcopy(template)
    del pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"]
    metadata = {"name": "trial", "namespace": workload.namespace}

    found = refusal(prepared, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod["spec"]})

    assert 'violates PodSecurity "restricted:latest"' in found


def test_keda_takes_every_scaler(prepared: LocalCluster) -> None:
    """KEDA finds each target, compiles each formula, and hands the bounds and steps on to Kubernetes."""
    scalers = of_kind("ScaledObject")
    workloads = [m for m in of_kind("Deployment", "LeaderWorkerSet") if m.name.endswith("-hourly")]
    prepared.apply(*(plain(manifest) for manifest in (*scalers, *workloads)))

    def ready() -> dict[str, str]:
        return {
            one["metadata"]["name"]: condition["status"]
            for one in prepared.get("scaledobjects", "--all-namespaces")
            for condition in one.get("status", {}).get("conditions", ())
            if condition["type"] == "Ready"
        }

    eventually(ready, {scaler.name: "True" for scaler in scalers})
    given = {
        one["spec"]["scaleTargetRef"]["name"]: one["spec"]
        for one in prepared.get("horizontalpodautoscalers", "--all-namespaces")
    }
    for scaler in scalers:
        spec = texts(scaler, "spec")
        assert spec["minReplicaCount"] == given[scaler.name]["minReplicas"]
        assert spec["maxReplicaCount"] == given[scaler.name]["maxReplicas"]
        for direction, asked in spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"].items():
            behavior = given[scaler.name]["behavior"][direction]
            assert {**asked, "selectPolicy": "Max"} == behavior
