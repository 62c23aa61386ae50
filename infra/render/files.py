"""Manifests as files, one each, for people who apply with Argo CD or Flux."""

from collections.abc import Iterable, Mapping

import yaml

from infra.render.manifest import Manifest

CLUSTER_FOLDER = "cluster"
"""Holds what has no namespace."""

LINE_WIDTH = 10_000
"""Queries and JSON stay on one line: people search for them."""


def files(manifests: Iterable[Manifest]) -> Mapping[str, str]:
    """Return the text of every file by its path, sorted: the same manifests give the same bytes."""
    return dict(sorted((_path(manifest), _text(manifest)) for manifest in manifests))


def _path(manifest: Manifest) -> str:
    folder = manifest.namespace or CLUSTER_FOLDER
    return f"{folder}/{manifest.kind.lower()}-{manifest.name}.yaml"


def _text(manifest: Manifest) -> str:
    return yaml.dump(manifest.body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=LINE_WIDTH)


class _Dumper(yaml.SafeDumper):
    """Writes every value out: an alias would say that two values are one; they only happen to be equal."""

    def ignore_aliases(self, data: object) -> bool:
        return True
