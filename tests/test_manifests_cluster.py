"""A real API server takes every object: built-in kinds by its own schemas, others by their definitions."""

import copy
import json
import subprocess
from collections.abc import Iterator

import pytest
from local.running import LocalCluster, eventually
from rendered import MANIFESTS, of_kind, pod_templates, pods, texts
from rendered_gateway import MANIFESTS as WITH_GATEWAY
from rendered_gateway import TLS_MANIFESTS

from infra import names
from infra.render.make import Manifest

pytestmark = pytest.mark.cluster

FIRST = ("Namespace", "ServiceAccount")
"""Kinds that others cannot be tried without."""

KINDS = sorted({manifest.kind for manifest in MANIFESTS})

GATEWAY = [
    manifest
    for manifests in (WITH_GATEWAY, TLS_MANIFESTS)
    for manifest in manifests
    if manifest.owner_kind == names.GATEWAY_TYPE
]
GATEWAY_KINDS = sorted({manifest.kind for manifest in GATEWAY})


EVERYTHING = (*MANIFESTS, *GATEWAY)


@pytest.fixture(scope="module")
def prepared(cluster: LocalCluster) -> Iterator[LocalCluster]:
    """A cluster that has the namespaces and accounts, and nothing else of ours."""
    prerequisites = [plain(manifest) for manifest in of_kind(*FIRST, manifests=EVERYTHING)]
    cluster.apply(*prerequisites)
    yield cluster
    for name in {manifest.name for manifest in of_kind("Namespace", manifests=EVERYTHING)}:
        cluster.kubectl("delete", "namespace", name, "--wait")


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


@pytest.mark.parametrize("kind", GATEWAY_KINDS)
def test_the_api_server_takes_every_object_of_the_gateway(prepared: LocalCluster, kind: str) -> None:
    """So do Gateway API's and cert-manager's definitions, which the gateway's route and certificate need."""
    found = {manifest.name: plain(manifest) for manifest in GATEWAY if manifest.kind == kind}

    assert "" == refusal(prepared, *found.values())


def test_the_gateways_pods_are_admitted_and_its_service_finds_them(prepared: LocalCluster) -> None:
    """Kubernetes looks for the callers' port in a sidecar; the namespace admits every pod of the gateway."""
    kinds = ("ConfigMap", "Role", "RoleBinding", "Service", "Deployment")
    found = of_kind(*kinds, manifests=WITH_GATEWAY)
    prepared.apply(*(plain(manifest) for manifest in found if manifest.owner_kind == names.GATEWAY_TYPE))

    def ready() -> dict[str, int]:
        return {
            one["metadata"]["name"]: one["status"].get("readyReplicas", 0)
            for one in prepared.get("deployments", "--namespace=modelunits-test")
        }

    def ports() -> set[int]:
        slices = prepared.get("endpointslices", "--namespace=modelunits-test")
        return {
            port["port"]
            for one in slices
            if one["metadata"]["labels"]["kubernetes.io/service-name"] == names.GATEWAY and one["endpoints"]
            for port in one["ports"]
        }

    eventually(ready, {"gateway": 2, "ratelimit": 2, "redis": 1})
    (template,) = pod_templates(next(m for m in GATEWAY if (m.kind, m.name) == ("Deployment", names.GATEWAY)))
    (envoy,) = (each for each in template["spec"]["initContainers"] if each["name"] == "envoy")
    eventually(ports, {envoy["ports"][0]["containerPort"]})


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
