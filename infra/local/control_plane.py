"""The Kubernetes control plane of the local cluster: etcd, API server, controllers, scheduler and simulated
nodes, put together by kwokctl."""

import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import yaml

from infra.local import processes
from infra.local.folders import Folders
from infra.local.toolchain import Tool

NAME = "modelunits"
CONTEXT = "modelunits-local"

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok-controller")

BINARIES = {
    "etcd": "etcd",
    "kube-apiserver": "kube-apiserver",
    "kube-controller-manager": "kube-controller-manager",
    "kube-scheduler": "kube-scheduler",
    "kwok-controller": "kwok",
}
"""kwokctl's word for a component, and the part that it runs."""

CONFIGURATION: dict[str, object] = {
    "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
    "kind": "KwokctlConfiguration",
    "options": {
        "enableCRDs": ["Stage"],  # how long pods take to start stays changeable
        "bindAddress": "127.0.0.1",
    },
}

ARGUMENTS: dict[str, dict[str, str]] = {
    # 15 s by default: too long to watch an endpoint scale
    "kube-controller-manager": {"horizontal-pod-autoscaler-sync-period": "3s"},
    # lets KEDA's adapter, an API server behind this one, know who asks
    "kube-apiserver": {
        "requestheader-client-ca-file": "{certificates}/ca.crt",
        "requestheader-allowed-names": "kwok-admin",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    },
}

SETTINGS = json.loads(json.dumps([CONFIGURATION, ARGUMENTS]))
"""All of it, as a file would hold it: a cluster made with other settings is made anew."""

READY_SECONDS = 180.0


class ClusterError(Exception):
    """The local cluster did not do what was asked; says what and where to look."""


def folder(cluster: Path) -> Path:
    """Return the folder in which kwokctl keeps the control plane."""
    return cluster / "kwok" / "clusters" / NAME


def certificates(cluster: Path) -> Path:
    """Return the folder of the cluster's certificates: one for localhost serves the controllers too."""
    return folder(cluster) / "pki"


def well(cluster: Path) -> bool:
    """Tell whether every process of the control plane runs and the API server is ready."""
    alive = {one.name for one in processes.running(cluster)}
    return alive.issuperset(COMPONENTS) and ready(cluster)


def create_or_start(cluster: Path, tools: Mapping[str, Tool]) -> None:
    """Make the control plane run: new, or again where a process of it has died."""
    created = cluster / "created"
    if created.exists():
        _start(cluster, tools)
    else:
        # a run that was killed while creating leaves half of it
        processes.stop(cluster, patience_seconds=0)
        shutil.rmtree(cluster / "kwok", ignore_errors=True)
        _create(cluster, tools)
    _write_kubeconfig(cluster)
    _wait_until_ready(cluster)
    created.touch()


def _create(cluster: Path, tools: Mapping[str, Tool]) -> None:
    configuration = cluster / "kwokctl.yaml"
    patches = [
        {
            "name": component,
            "extraArgs": [
                {"key": key, "value": value.format(certificates=certificates(cluster))}
                for key, value in arguments.items()
            ],
        }
        for component, arguments in ARGUMENTS.items()
    ]
    configuration.write_text(json.dumps({**CONFIGURATION, "componentsPatches": patches}))
    binaries = [f"--{component}-binary={tools[part].path}" for component, part in BINARIES.items()]
    _kwokctl(
        cluster,
        tools,
        "create",
        "cluster",
        "--runtime=binary",
        f"--config={configuration}",
        "--kubeconfig=",  # the user's own stays as it is
        *binaries,
    )


def _start(cluster: Path, tools: Mapping[str, Tool]) -> None:
    alive = {str(one.pid) for one in processes.running(cluster)}
    for file in (folder(cluster) / "pids").glob("*.pid"):
        if file.read_text().strip() not in alive:
            file.unlink()  # kwokctl would take a stranger with that id for its own
    _kwokctl(cluster, tools, "start", "cluster")


def _kwokctl(cluster: Path, tools: Mapping[str, Tool], *arguments: str) -> None:
    done = subprocess.run(
        [tools["kwokctl"].path, f"--name={NAME}", *arguments],
        env=environment(cluster, tools),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    (cluster / "logs").mkdir(exist_ok=True)
    with (cluster / "logs" / "kwokctl.log").open("a") as log:
        log.write(done.stdout + done.stderr)
    if done.returncode:
        raise ClusterError(f"kwokctl {arguments[0]} cluster failed:\n{done.stderr[-2000:]}")


def environment(cluster: Path, tools: Mapping[str, Tool]) -> dict[str, str]:
    """Return the environment of kwokctl, which its components inherit."""
    return {
        **os.environ,
        processes.OWNER: str(cluster),
        "KWOK_WORKDIR": str(cluster / "kwok"),
        "PATH": f"{tools['kubectl'].path.parent}:{os.environ.get('PATH', '')}",
    }


def _write_kubeconfig(cluster: Path) -> None:
    """Write the kubeconfig that people use, with a context name of ours."""
    kept = yaml.safe_load((folder(cluster) / "kubeconfig.yaml").read_text())
    (cluster / "kubeconfig.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": CONTEXT,
                "clusters": [{"name": CONTEXT, "cluster": kept["clusters"][0]["cluster"]}],
                "users": [{"name": CONTEXT, "user": kept["users"][0]["user"]}],
                "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
            },
            sort_keys=False,
        )
    )


def own_kubeconfig(where: Folders, context: str | None) -> Path | None:
    """Return the kubeconfig of this checkout's own cluster, where that is what a context means."""
    return where.kubeconfig if context == CONTEXT and where.kubeconfig.exists() else None


def server(cluster: Path) -> str:
    """Return the API server's address."""
    kept = yaml.safe_load((cluster / "kubeconfig.yaml").read_text())
    return str(kept["clusters"][0]["cluster"]["server"])


def ready(cluster: Path) -> bool:
    """Tell whether the API server answers, with its etcd behind it."""
    if not (cluster / "kubeconfig.yaml").exists():
        return False
    keys = certificates(cluster)
    try:
        trust = ssl.create_default_context(cafile=str(keys / "ca.crt"))
        trust.load_cert_chain(keys / "admin.crt", keys / "admin.key")
        direct = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        with direct.open(f"{server(cluster)}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _wait_until_ready(cluster: Path) -> None:
    """Wait for the API server."""
    deadline = time.monotonic() + READY_SECONDS
    while not ready(cluster):
        if time.monotonic() > deadline:
            raise ClusterError(f"the API server does not get ready: see {folder(cluster) / 'logs'}")
        time.sleep(0.3)
