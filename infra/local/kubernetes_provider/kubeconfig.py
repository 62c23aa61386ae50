"""Which cluster the provider's configuration names, and whether we may talk to it."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from kubernetes.client import Configuration
from kubernetes.config import kube_config
from kubernetes.config.config_exception import ConfigException

from infra.local.kubernetes_provider import VERSION
from infra.local.kubernetes_provider.diff import Mutability
from infra.local.kubernetes_provider.manifest import at, objects_at, text_at
from infra.local.kubernetes_provider.values import Manifest


class Unusable(Exception):  # noqa: N818 - it is what the configuration is
    """The stand-in must not, or cannot, do what the provider's configuration asks."""


class Unreachable(Exception):  # noqa: N818 - it is what the cluster is
    """There is no API server to talk to; previews go on without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The provider's configuration."""

    kubeconfig: str
    context: str
    namespace: str
    mutability: Mutability
    upsert: bool
    delete_unreachable: bool
    skip_update_unreachable: bool
    patch_force: bool


def settings_from(variables: Mapping[str, str], environment: Mapping[str, str]) -> Settings:
    """Read the configuration as the engine passes it, and its defaults from the environment."""

    def value(key: str, variable: str = "") -> str:
        return variables.get(f"kubernetes:config:{key}", environment.get(variable, ""))

    for key in ("cluster", "renderYamlToDirectory"):
        if value(key):
            raise Unusable(f"the stand-in provider does not have `{key}`; {_INSTALL}")
    if value("enableServerSideApply", "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY") == "false":
        raise Unusable(f"the stand-in provider only has server-side apply; {_INSTALL}")
    return Settings(
        kubeconfig=value("kubeconfig"),
        context=value("context"),
        namespace=value("namespace"),
        mutability=Mutability(
            config_map=value("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE") == "true",
            secret=value("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE") == "true",
        ),
        upsert=value("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS") == "true",
        delete_unreachable=value("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE") == "true",
        skip_update_unreachable=value("skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE")
        == "true",
        patch_force=value("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE") == "true",
    )


_INSTALL = f"install the official one: pulumi plugin install resource kubernetes {VERSION}"


def load(settings: Settings) -> Configuration:
    """Return how to reach the cluster; refuse any API server that is not on loopback.

    Why: the stand-in is tried on local clusters only; nobody should find its mistakes in production.
    """
    paths = _paths(settings)
    try:
        content = _merged(paths) if paths else yaml.safe_load(settings.kubeconfig)
        server = server_of(content, settings.context)
        if not is_loopback(server):
            raise Unusable(
                f"the stand-in provider only talks to a cluster on this machine, not to {server}; {_INSTALL}"
            )
        configuration = Configuration()
        common = {
            "context": settings.context or None,
            "client_configuration": configuration,
            "persist_config": False,
        }
        if paths:
            kube_config.load_kube_config(config_file=paths, **common)  # type: ignore[no-untyped-call]
        else:
            kube_config.load_kube_config_from_dict(config_dict=content, **common)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError, yaml.YAMLError) as error:
        raise Unreachable(f"unable to load the kubeconfig: {error}") from error
    configuration.proxy = None  # a proxy would be the one to decide where loopback leads
    return configuration


def _paths(settings: Settings) -> str:
    """Return the kubeconfig files to read, separated as in KUBECONFIG; empty where the setting is content."""
    if not settings.kubeconfig:
        return os.environ.get("KUBECONFIG", str(Path.home() / ".kube" / "config"))
    is_content = "\n" in settings.kubeconfig or settings.kubeconfig.lstrip().startswith("{")
    return "" if is_content else settings.kubeconfig


def _merged(paths: str) -> Manifest:
    """Read kubeconfig files as far as it takes to find an API server: the client reads them in full."""
    read = [
        yaml.safe_load(Path(path).expanduser().read_text(encoding="utf-8"))
        for path in paths.split(os.pathsep)
    ]
    current = [text_at(content, "current-context") for content in read]
    return {
        "current-context": next(filter(None, current), ""),
        "contexts": [entry for content in read for entry in objects_at(content, "contexts")],
        "clusters": [entry for content in read for entry in objects_at(content, "clusters")],
    }


def server_of(kubeconfig: object, context: str) -> str:
    """Return the address of the API server of a context, by default the current one."""
    wanted = context or text_at(kubeconfig, "current-context")
    contexts = {text_at(entry, "name"): entry for entry in objects_at(kubeconfig, "contexts")}
    if wanted not in contexts:
        known = ", ".join(sorted(contexts)) or "none"
        raise Unreachable(f"the kubeconfig has no context {wanted!r}; it has: {known}")
    cluster_name = text_at(contexts[wanted], "context", "cluster")
    for entry in objects_at(kubeconfig, "clusters"):
        if at(entry, "name") == cluster_name:
            return text_at(entry, "cluster", "server")
    raise Unreachable(f"the kubeconfig has no cluster {cluster_name!r}")


def is_loopback(server: str) -> bool:
    """Whether an address is of this machine and of nothing else."""
    host = urlsplit(server).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
