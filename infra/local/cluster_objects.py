"""What the local cluster holds before anyone deploys: resource definitions, webhooks, simulated nodes."""

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from infra.local.go_build import module_folder

Manifest = dict[str, object]

CRD_FOLDERS = (
    ("cluster", "sigs.k8s.io/karpenter", "pkg/apis/crds/*.yaml"),
    ("cluster", "sigs.k8s.io/karpenter", "kwok/apis/crds/*.yaml"),
    ("cluster", "sigs.k8s.io/lws", "config/crd/bases/*.yaml"),
    ("cluster", "github.com/kedacore/keda/v2", "config/crd/bases/*.yaml"),
    *(
        (
            "crds",
            "github.com/prometheus-operator/prometheus-operator",
            f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml",
        )
        for kind in ("podmonitors", "prometheusrules")
    ),
    ("crds", "github.com/cert-manager/cert-manager", "deploy/crds/cert-manager.io_certificates.yaml"),
    ("crds", "sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"),
)
"""Which pinned Go modules hold the definitions, and where."""

KWOK_STAGES = (
    "kustomize/stage/pod/fast/pod-*.yaml",
    "kustomize/stage/node/fast/node-*.yaml",
    "kustomize/stage/volume/fast/[ps]*.yaml",
)
"""How kwok has simulated pods, nodes and volumes change, and its storage class, the default one."""

LWS_POD_LABEL = "leaderworkerset.sigs.k8s.io/name"
"""LeaderWorkerSet's own installation limits its pod webhooks to pods with this label."""

NODE_CLASS = "default"
"""Name of the KWOKNodeClass that NodePools refer to."""

SYSTEM_NODE = "system"
"""A simulated machine without GPUs, for routers and the like; clusters have such nodes."""

KEDA_NAMESPACE = "keda"
KEDA_SERVICE = "keda-metrics-apiserver"


def crd_files(cache: Path) -> tuple[Path, ...]:
    """Return the files of the custom resource definitions, fetched where they are not there yet."""
    return tuple(
        file
        for group, module, pattern in CRD_FOLDERS
        for file in sorted(module_folder(group, module, cache).glob(pattern))
    )


def crds(cache: Path) -> tuple[Manifest, ...]:
    """Return the custom resource definitions of every controller."""
    return tuple(_documents(crd_files(cache)))


def base_objects(cache: Path, pod_start_seconds: float) -> tuple[Manifest, ...]:
    """Return how nodes and pods behave, the node class and the node that is always there."""
    return (
        *_stages(cache, pod_start_seconds),
        {
            "apiVersion": "karpenter.kwok.sh/v1alpha1",
            "kind": "KWOKNodeClass",
            "metadata": {"name": NODE_CLASS},
        },
        _system_node(),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": KEDA_NAMESPACE}},
    )


def controller_objects(
    cache: Path, *, certificate_authority: Path, lws_port: int, keda_port: int
) -> tuple[Manifest, ...]:
    """Return what the API server needs to reach the controllers on this machine."""
    bundle = base64.b64encode(certificate_authority.read_bytes()).decode()
    return (*_lws_webhooks(cache, lws_port, bundle), *_external_metrics(keda_port))


def _stages(cache: Path, pod_start_seconds: float) -> Iterator[Manifest]:
    kwok = module_folder("cluster", "sigs.k8s.io/kwok", cache)
    for stage in _documents(file for pattern in KWOK_STAGES for file in sorted(kwok.glob(pattern))):
        if _name(stage) == "pod-ready":
            spec = stage["spec"]
            assert isinstance(spec, dict)
            yield {
                **stage,
                "spec": {**spec, "delay": {"durationMilliseconds": round(pod_start_seconds * 1000)}},
            }
        else:
            yield stage


def _system_node() -> Manifest:
    resources = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "500"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": SYSTEM_NODE,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {
                "kubernetes.io/hostname": SYSTEM_NODE,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "node-role.kubernetes.io/system": "",
            },
        },
        "status": {"allocatable": resources, "capacity": resources},
    }


def _lws_webhooks(cache: Path, port: int, bundle: str) -> Iterator[Manifest]:
    """Yield LeaderWorkerSet's webhooks, addressed to a port of this machine instead of a Service."""
    lws = module_folder("cluster", "sigs.k8s.io/lws", cache)
    for configuration in _documents([lws / "config" / "webhook" / "manifests.yaml"]):
        webhooks = configuration["webhooks"]
        assert isinstance(webhooks, list)
        yield {
            **configuration,
            "metadata": {"name": f"lws-{_name(configuration)}"},
            "webhooks": [_local_webhook(webhook, port, bundle) for webhook in webhooks],
        }


def _local_webhook(webhook: Manifest, port: int, bundle: str) -> Manifest:
    client = webhook["clientConfig"]
    assert isinstance(client, dict)
    address = f"https://127.0.0.1:{port}{client['service']['path']}"
    pods = webhook["name"] in ("mpod.kb.io", "vpod.kb.io")
    selector: Manifest = {"matchExpressions": [{"key": LWS_POD_LABEL, "operator": "Exists"}]}
    return {
        **webhook,
        "clientConfig": {"url": address, "caBundle": bundle},
        **({"objectSelector": selector} if pods else {}),
    }


def _external_metrics(port: int) -> tuple[Manifest, ...]:
    """Return the API that KEDA's adapter serves: through a Service that names this machine."""
    return (
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": KEDA_SERVICE, "namespace": KEDA_NAMESPACE},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.external.metrics.k8s.io"},
            "spec": {
                "group": "external.metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                # The certificate is for localhost, the API server asks for the Service's name.
                "insecureSkipTLSVerify": True,
                "service": {"name": KEDA_SERVICE, "namespace": KEDA_NAMESPACE, "port": port},
            },
        },
    )


def _documents(files: Iterable[Path]) -> Iterator[Manifest]:
    for file in files:
        for document in yaml.load_all(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if document:
                yield document


def _name(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    assert isinstance(metadata, dict)
    return str(metadata["name"])
