"""Pulumi for this checkout: the engine, its Python language host and Kubernetes provider, its environment.

The official ones are used wherever they are installed or can be fetched. Only where they are not do the
stand-ins take their place, in folders of this checkout that no ordinary `pulumi` looks at.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.local.commands import put, runs, write_command
from infra.local.download import Unavailable
from infra.local.folders import Folders, folders
from infra.local.parts import KUBERNETES_PROVIDER, PULUMI
from infra.local.progress import Progress
from infra.local.toolchain import Tool, Toolchain, search_path, user_pulumi_home

LANGUAGE_HOST = "pulumi-language-python"
PROVIDER = KUBERNETES_PROVIDER.name
PROVIDER_PLUGIN = f"resource-kubernetes-v{KUBERNETES_PROVIDER.version}"

STAND_IN = "a stand-in of this project"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Where each piece of Pulumi comes from, for people."""

    pulumi: str
    language_host: str
    provider: str

    def lines(self) -> tuple[str, ...]:
        """Return a line for each piece."""
        return (self.pulumi, self.language_host, self.provider)


def prepare(where: Folders, progress: Progress) -> Engine:
    """Put Pulumi and its plugins in place for this checkout; what is so already stays."""
    for folder in (where.programs, where.pulumi_home / "plugins", where.pulumi_state):
        folder.mkdir(parents=True, exist_ok=True)
    toolchain = Toolchain(where, progress)
    pulumi = toolchain.find_all([PULUMI])["pulumi"]
    return Engine(
        pulumi=pulumi.says(),
        language_host=_language_host(where, pulumi),
        provider=_provider(where, toolchain),
    )


def _language_host(where: Folders, pulumi: Tool) -> str:
    """Put the engine in place, with a Python language host that it finds: beside itself, on PATH, or ours."""
    ours = where.programs / LANGUAGE_HOST
    beside = pulumi.path.resolve().parent / LANGUAGE_HOST
    if beside.exists() or shutil.which(LANGUAGE_HOST, path=search_path(where)):
        ours.unlink(missing_ok=True)
        write_command(where.programs / "pulumi", str(pulumi.path))
        return f"Python language host: comes with {pulumi.part.name}"
    # The engine warns about a language host that is not beside itself: bring it here.
    put(pulumi.path, where.programs / "pulumi")
    write_command(ours, sys.executable, "-P", "-m", "infra.local.language_host")
    return f"Python language host: {STAND_IN}, as pulumi built with Go has none beside it"


def _provider(where: Folders, toolchain: Toolchain) -> str:
    """Make sure that the engine finds the Kubernetes provider: installed, published, or ours."""
    plugin = where.pulumi_home / "plugins" / PROVIDER_PLUGIN
    ours = plugin / PROVIDER
    title = f"Kubernetes provider {KUBERNETES_PROVIDER.version}"
    if shutil.which(PROVIDER, path=search_path(where)):
        shutil.rmtree(plugin, ignore_errors=True)
        return f"{title}: installed already"
    home = user_pulumi_home(where)
    installed = home / "plugins" / PROVIDER_PLUGIN / PROVIDER if home else None
    if installed and installed.exists():
        write_command(ours, str(installed))
        return f"{title}: installed already"
    stand_in = (sys.executable, "-P", "-m", "infra.local.kubernetes_provider")
    if runs(ours, *stand_in):
        # Asking again would cost an offline machine seconds each time.
        return f"{title}: {STAND_IN}; make down, then up, looks for the official one again"
    try:
        tool = toolchain.find_all([KUBERNETES_PROVIDER])[PROVIDER]
    except Unavailable as reason:
        write_command(ours, *stand_in)
        return f"{title}: {STAND_IN}, as there is no official download: {reason}"
    write_command(ours, str(tool.path))
    return tool.says()


def local_variables(where: Folders) -> dict[str, str]:
    """Return the variables, beside PATH, with which `pulumi` and `kubectl` mean the local stack."""
    return {
        "PULUMI_HOME": str(where.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{where.pulumi_state}",
        # The local stack holds no secret worth a passphrase; people's own stacks keep theirs elsewhere.
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "KUBECONFIG": str(where.kubeconfig),
        # Else kubectl keeps what it learns of the API server in the user's ~/.kube.
        "KUBECACHEDIR": str(where.cluster / "kubectl-cache"),
    }


def pulumi_environment(root: Path) -> dict[str, str]:
    """Return the whole environment in which to run `pulumi` on the local stack of a checkout."""
    where = folders(root)
    path = os.pathsep.join([str(where.programs), search_path(where)])
    return {**os.environ, **local_variables(where), "PATH": path}
