"""Whether a changed provider configuration means another cluster, and everything in it replaced. Pure."""

from dataclasses import dataclass

import yaml

from infra.local.kubernetes_provider.kubeconfig import Unreachable, server_of
from infra.local.kubernetes_provider.manifest import text_at
from infra.local.kubernetes_provider.values import Manifest, has_unknown

IDENTIFIER = "clusterIdentifier"
_NAME_THE_CLUSTER = ("kubeconfig", "context", "cluster")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationDiff:
    """Keys that changed, and those for which everything is replaced."""

    changed: tuple[str, ...]
    replaces: tuple[str, ...]


def configuration_diff(old: Manifest, new: Manifest) -> ConfigurationDiff:
    """Compare as the official provider does: by the identifier, or by the active cluster without one."""
    changed = tuple(sorted(key for key in {*old, *new} if old.get(key) != new.get(key)))
    before, after = text_at(old, IDENTIFIER), text_at(new, IDENTIFIER)
    if before and after:
        return ConfigurationDiff(changed=changed, replaces=(IDENTIFIER,) if before != after else ())
    unknown = tuple(key for key in _NAME_THE_CLUSTER if has_unknown(new.get(key)))
    if unknown:
        return ConfigurationDiff(changed=changed, replaces=unknown[:1])
    servers = _server(old), _server(new)
    moved = all(servers) and servers[0] != servers[1]
    replaces = tuple(key for key in changed if key in _NAME_THE_CLUSTER) if moved else ()
    return ConfigurationDiff(changed=changed, replaces=replaces)


def _server(configuration: Manifest) -> str:
    """Return the API server of a kubeconfig given as content; empty where it is a file or unreadable."""
    try:
        content = yaml.safe_load(text_at(configuration, "kubeconfig"))
        return server_of(content, text_at(configuration, "context"))
    except (Unreachable, yaml.YAMLError):
        return ""
