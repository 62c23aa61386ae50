"""The controllers of the local cluster, as processes: the real Karpenter, LeaderWorkerSet and KEDA, and the
stand-in for Prometheus."""

import json
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from infra.local import prometheus_stand_in
from infra.local.ports import Ports
from infra.local.processes import Process
from infra.local.toolchain import Tool

NAMES = ("prometheus", "karpenter", "lws", "keda-operator", "keda-adapter")
"""The controllers' processes."""


def health_addresses(ports: Ports) -> dict[str, str]:
    """Return an address for each process that answers when it is up."""
    return {
        "prometheus": f"http://127.0.0.1:{ports.prometheus}/",
        "karpenter": f"http://127.0.0.1:{ports.karpenter_health}/healthz",
        "lws": f"https://127.0.0.1:{ports.lws_webhooks}/",
        "keda-operator": f"http://127.0.0.1:{ports.keda_health}/readyz",
        "keda-adapter": f"https://127.0.0.1:{ports.keda_api}/livez",
    }


def put_series(ports: Ports, endpoint: str, metric: str, value: float) -> None:
    """Tell the stand-in for Prometheus what to answer about a metric of an endpoint."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{ports.prometheus}/series/{endpoint}/{metric}",
        data=str(value).encode(),
        method="PUT",
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    direct.open(request, timeout=10).close()


def write_files(cluster: Path, certificates: Path, ports: Ports, instance_types: str) -> None:
    """Write the files that the controllers read."""
    keys = cluster / "certificates"
    keys.mkdir(parents=True, exist_ok=True)
    for name, source in (("ca.crt", "ca.crt"), ("tls.crt", "admin.crt"), ("tls.key", "admin.key")):
        _write(keys / name, (certificates / source).read_text())
    (keys / "tls.key").chmod(0o600)
    _write(cluster / "instance-types.json", instance_types)
    _write(
        cluster / "lws.json",
        json.dumps(
            {
                "apiVersion": "config.lws.x-k8s.io/v1alpha1",
                "kind": "Configuration",
                "leaderElection": {"leaderElect": False},
                "internalCertManagement": {"enable": False},
                "webhook": {"host": "127.0.0.1", "port": ports.lws_webhooks, "certDir": str(keys)},
                "health": {"healthProbeBindAddress": f"127.0.0.1:{ports.lws_health}"},
                "metrics": {"bindAddress": "0"},
            }
        ),
    )


def _write(file: Path, text: str) -> None:
    """Write a file unless it is so already: controllers watch theirs and would see half of it."""
    if not file.exists() or file.read_text() != text:
        file.write_text(text)


def controllers(
    cluster: Path, tools: Mapping[str, Tool], certificates: Path, ports: Ports
) -> tuple[Process, ...]:
    """Return the controllers' processes. Their files have to be there."""
    kubeconfig = cluster / "kubeconfig.yaml"
    keys = cluster / "certificates"
    health = health_addresses(ports)
    reach = {"KUBECONFIG": str(kubeconfig)}
    return (
        Process(
            name="prometheus",
            command=(
                sys.executable,
                prometheus_stand_in.__file__,
                str(ports.prometheus),
                str(cluster / "series.json"),
            ),
            health=health["prometheus"],
            reads=(Path(prometheus_stand_in.__file__),),
        ),
        Process(
            name="karpenter",
            command=(str(tools["karpenter-kwok"].path),),
            environment={
                **reach,
                "SYSTEM_NAMESPACE": "kube-system",
                "DISABLE_LEADER_ELECTION": "true",
                "METRICS_PORT": str(ports.karpenter_metrics),
                "HEALTH_PROBE_PORT": str(ports.karpenter_health),
                "INSTANCE_TYPES_FILE_PATH": str(cluster / "instance-types.json"),
                # With the gate on, the simulated cloud gives reserved offerings no reservation id and
                # Karpenter 1.14.0's scheduler panics. Real clouds keep the gate on.
                "FEATURE_GATES": "ReservedCapacity=false",
            },
            health=health["karpenter"],
            reads=(kubeconfig, cluster / "instance-types.json"),
        ),
        Process(
            name="lws",
            command=(str(tools["lws"].path), f"--config={cluster / 'lws.json'}", "--zap-log-level=info"),
            environment=reach,
            health=health["lws"],
            reads=(kubeconfig, cluster / "lws.json", keys / "tls.crt"),
        ),
        Process(
            name="keda-operator",
            command=(
                str(tools["keda-operator"].path),
                "--leader-elect=false",
                "--enable-cert-rotation=false",
                f"--cert-dir={keys}",
                "--metrics-bind-address=0",
                f"--health-probe-bind-address=127.0.0.1:{ports.keda_health}",
                f"--metrics-service-bind-address=127.0.0.1:{ports.keda_metrics_service}",
            ),
            environment={
                **reach,
                "WATCH_NAMESPACE": "",
                "POD_NAMESPACE": "keda",
                "KEDA_CLUSTER_OBJECT_NAMESPACE": "keda",
                "NO_PROXY": "",
                # Queries to any Prometheus address end at the stand-in; the API server is on loopback,
                # which Go never proxies.
                "HTTP_PROXY": f"http://127.0.0.1:{ports.prometheus}",
            },
            health=health["keda-operator"],
            reads=(kubeconfig, keys / "tls.crt"),
        ),
        Process(
            name="keda-adapter",
            command=(
                str(tools["keda-adapter"].path),
                f"--secure-port={ports.keda_api}",
                "--bind-address=127.0.0.1",
                f"--cert-dir={keys}",
                f"--tls-cert-file={keys / 'tls.crt'}",
                f"--tls-private-key-file={keys / 'tls.key'}",
                f"--client-ca-file={certificates / 'ca.crt'}",
                f"--kubeconfig={kubeconfig}",
                f"--lister-kubeconfig={kubeconfig}",
                f"--authentication-kubeconfig={kubeconfig}",
                f"--authorization-kubeconfig={kubeconfig}",
                f"--metrics-service-address=localhost:{ports.keda_metrics_service}",
                f"--port={ports.keda_adapter_metrics}",
            ),
            environment={**reach, "WATCH_NAMESPACE": "", "POD_NAMESPACE": "keda"},
            health=health["keda-adapter"],
            reads=(kubeconfig, keys / "tls.crt"),
        ),
    )
