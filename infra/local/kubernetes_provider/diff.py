"""What a change of inputs does to an object: which fields, and whether it has to be replaced. Pure."""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from kubernetes.utils.quantity import parse_quantity

from infra.local.kubernetes_provider.manifest import (
    AUTONAMED,
    annotation,
    at,
    group_of,
    is_custom,
    name_of,
    namespace_of,
    prune,
    text_at,
    with_metadata,
    without_server_metadata,
)
from infra.local.kubernetes_provider.values import Manifest, has_unknown

Change = Literal["add", "delete", "update"]
Path = tuple[str | int, ...]

IMMUTABLE: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "DaemonSet"): ("spec.selector",),
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
    ("", "PersistentVolumeClaim"): (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP",),
}
"""Fields whose change replaces the object, by API group and kind.

Source: forceNew in provider/pkg/provider/diff.go of pulumi-kubernetes, less Pods, which nobody registers. A
change of any other field that the API server refuses fails the update there, and so it does here.
"""

_QUANTITIES_UNDER = frozenset({"requests", "limits", "hard", "capacity", "overhead"})
_QUANTITIES = frozenset({"sizeLimit", "divisor"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutability:
    """Whether the data of ConfigMaps and Secrets is updated in place; by default it replaces them."""

    config_map: bool = False
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One changed field."""

    path: str
    change: Change
    replaces: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDiff:
    """Every changed field of one object."""

    fields: tuple[FieldChange, ...]
    delete_before_replace: bool

    @property
    def replaces(self) -> tuple[str, ...]:
        """The fields that replace the object."""
        return tuple(field.path for field in self.fields if field.replaces)


def object_diff(
    *,
    old_live: Manifest,
    old_inputs: Manifest,
    new_inputs: Manifest,
    ignore: Sequence[str],
    mutability: Mutability,
) -> ObjectDiff:
    """Compare new inputs with the live object, as far as it was made from the old inputs."""
    old_inputs, new = _comparable(old_inputs), _comparable(new_inputs)
    known = not is_custom(new)
    old = prune(_comparable(old_live), old_inputs, keep_empty=known)
    old, new = _in_namespace(old, old_live, old_live), _in_namespace(new, new, old_live)
    if name_of(new):
        old = with_metadata(old, name=name_of(old_live))
    immutable = _immutable(new, mutability)
    fields = tuple(
        FieldChange(path=path_text(path), change=change, replaces=_is_at_or_above(path, value, immutable))
        for path, change, value in _changes((), old, new, quantities=known)
        if not any(_contains(parse_path(ignored), path) for ignored in ignore)
    )
    same_place = name_of(new) == name_of(old_live) and namespace_of(new) == namespace_of(old)
    return ObjectDiff(
        fields=fields,
        delete_before_replace=any(field.replaces for field in fields)
        and bool(name_of(new))
        and annotation(new, AUTONAMED) != "true"
        and same_place,
    )


def _comparable(manifest: Manifest) -> Manifest:
    """Return the object as the API server would keep it, where that is known without asking it."""
    manifest = without_server_metadata(manifest)
    texts = manifest.get("stringData")
    if text_at(manifest, "kind") != "Secret" or not isinstance(texts, dict) or has_unknown(texts):
        return manifest
    data = at(manifest, "data")
    encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in texts.items()}
    rest = {key: value for key, value in manifest.items() if key != "stringData"}
    return {**rest, "data": {**(data if isinstance(data, dict) else {}), **encoded}}


def _in_namespace(manifest: Manifest, named_by: Manifest, live: Manifest) -> Manifest:
    """Return the object with the namespace that it is in, said or not; a live object always says it."""
    namespace = (namespace_of(named_by) or "default") if namespace_of(live) else None
    return with_metadata(manifest, namespace=namespace)


def _immutable(manifest: Manifest, mutability: Mutability) -> list[Path]:
    kind = text_at(manifest, "kind")
    fixed = list(IMMUTABLE.get((group_of(manifest), kind), ()))
    frozen = manifest.get("immutable") is True
    if kind == "ConfigMap" and (frozen or not mutability.config_map):
        fixed += ["binaryData", "data"]
    if kind == "Secret" and (frozen or not mutability.secret):
        fixed += ["data", "stringData"]
    return [parse_path(path) for path in ("metadata.name", "metadata.namespace", *fixed)]


def _is_at_or_above(path: Path, value: object, immutable: Iterable[Path]) -> bool:
    """Whether the change at a path touches an immutable field: at it, below it, or bringing it along."""
    keys = tuple(step for step in path if isinstance(step, str))
    for fixed in immutable:
        if keys[: len(fixed)] == fixed:
            return True
        below = tuple(step for step in fixed[len(keys) :] if isinstance(step, str))
        if fixed[: len(keys)] == keys and at(value, *below) is not None:
            return True
    return False


def _changes(
    path: Path, old: object, new: object, *, quantities: bool
) -> Iterator[tuple[Path, Change, object]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(key for key in old if key not in new)]:
            if key not in old:
                yield (*path, key), "add", new[key]
            elif key not in new:
                yield (*path, key), "delete", old[key]
            else:
                yield from _changes((*path, key), old[key], new[key], quantities=quantities)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            if index >= len(old):
                yield (*path, index), "add", new[index]
            elif index >= len(new):
                yield (*path, index), "delete", old[index]
            else:
                yield from _changes((*path, index), old[index], new[index], quantities=quantities)
    elif not (type(old) is type(new) and old == new) and not (quantities and _same_quantity(path, old, new)):
        if (
            isinstance(old, int | float)
            and isinstance(new, int | float)
            and not isinstance(old, bool)
            and old == new
        ):
            return
        yield path, "update", new


def _same_quantity(path: Path, old: object, new: object) -> bool:
    """Whether two values are one amount, written in two ways: the API server writes `1000m` as `1`."""
    parent, key = (path[-2] if len(path) > 1 else ""), path[-1] if path else ""
    if parent not in _QUANTITIES_UNDER and key not in _QUANTITIES:
        return False
    amounts = [_amount(value) for value in (old, new)]
    return None not in amounts and amounts[0] == amounts[1]


def _amount(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return Decimal(parse_quantity(value))  # type: ignore[no-untyped-call]
    except ValueError:
        return None


def path_text(path: Path) -> str:
    """Write a path as Pulumi does: `spec.ports[0].port`, `metadata.labels["a.b/c"]`."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        elif re.search(r'[."\[\]]', step):
            escaped = step.replace('"', '\\"')
            written += f'["{escaped}"]'
        else:
            written += f".{step}" if written else step
    return written


_STEP = re.compile(r'\.?([^."\[\]]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\[(\*)\]')


def parse_path(written: str) -> Path:
    """Read a path as Pulumi writes it; `*` and `[*]` stand for any key or index."""
    steps: list[str | int] = []
    for name, index, quoted, star in _STEP.findall(written):
        steps.append(int(index) if index else name or quoted.replace('\\"', '"') or star)
    return tuple(steps)


def _contains(ignored: Path, path: Path) -> bool:
    return len(ignored) <= len(path) and all(
        mine in ("*", theirs) for mine, theirs in zip(ignored, path, strict=False)
    )
