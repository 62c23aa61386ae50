"""Who manages which field of an object, by its managedFields. Pure.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from collections.abc import Iterable, Sequence

from infra.local.kubernetes_provider.diff import Path, parse_path
from infra.local.kubernetes_provider.manifest import (
    FIELD_MANAGER,
    PATCH_FIELD_MANAGER,
    PATCH_FORCE,
    annotation,
    at,
    objects_at,
    text_at,
)
from infra.local.kubernetes_provider.values import Manifest

PREFIX = "pulumi-kubernetes-"

_WE_WROTE = ("pulumi-kubernetes", "pulumi-resource-kubernetes")
_TAKEN_OVER = (*_WE_WROTE, "kubectl", "before-first-apply")
"""Managers whose fields the official provider takes over when it updates: what it created itself, without
apply, and what people changed with kubectl."""


def field_manager(inputs: Manifest, state: Manifest, random: str) -> str:
    """Return the name we manage an object under: what an annotation or the state says, else a new one."""
    return annotation(inputs, PATCH_FIELD_MANAGER) or text_at(state, FIELD_MANAGER) or f"{PREFIX}{random}"


def taken_over(live: Manifest, manager: str) -> list[Manifest] | None:
    """Return managedFields in which our apply owns what we created and what kubectl changed; None: as it is.

    Why: an object is created without apply, so that an existing one is not overwritten. Were the creation's
    ownership left alone, every later apply would conflict with it.
    """
    entries = objects_at(live, "metadata", "managedFields")
    taken = [entry for entry in entries if _is_taken_over(entry)]
    if not taken:
        return None
    ours = [entry for entry in entries if entry not in taken and _is_our_apply(entry, manager)]
    merged: Manifest = {}
    for entry in (*ours, *taken):
        merged = _union(merged, _fields(entry))
    applied = {**(ours or taken)[0], "manager": manager, "operation": "Apply", "fieldsV1": merged}
    return [*(entry for entry in entries if entry not in taken and entry not in ours), applied]


def _is_taken_over(entry: Manifest) -> bool:
    manager = text_at(entry, "manager")
    if entry.get("subresource"):
        return False
    if entry.get("operation") == "Update":
        return manager.startswith(_TAKEN_OVER)
    return manager.startswith("kubectl")


def _is_our_apply(entry: Manifest, manager: str) -> bool:
    mine = entry.get("manager") == manager and entry.get("operation") == "Apply"
    return mine and not entry.get("subresource")


def _fields(entry: Manifest) -> Manifest:
    fields = entry.get("fieldsV1")
    return fields if isinstance(fields, dict) else {}


def _union(one: Manifest, other: Manifest) -> Manifest:
    merged = dict(one)
    for key, value in other.items():
        mine = merged.get(key)
        merged[key] = _union(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return merged


def forces(inputs: Manifest, live: Manifest, *, always: bool, preview: bool) -> bool:
    """Whether an apply takes fields from other managers.

    A preview cannot take over what we created, so it forces; a real conflict shows in the update.
    """
    created_by_us = any(
        entry.get("operation") == "Update" and text_at(entry, "manager").startswith(_WE_WROTE)
        for entry in objects_at(live, "metadata", "managedFields")
    )
    return always or annotation(inputs, PATCH_FORCE) == "true" or (preview and created_by_us)


def without_ignored(inputs: Manifest, live: Manifest, ignore: Sequence[str], manager: str) -> Manifest:
    """Return inputs that leave ignored fields as they are.

    A field that only others manage is not sent; any other is sent as it is, because not sending it would
    unset it.
    """
    entries = objects_at(live, "metadata", "managedFields")
    ours = [_fields(entry) for entry in entries if entry.get("manager") == manager]
    theirs = [_fields(entry) for entry in entries if entry.get("manager") != manager]
    for path in map(parse_path, ignore):
        keys = tuple(str(step) for step in path)
        if _owns(theirs, path) and not _owns(ours, path):
            inputs = _set(inputs, keys, None)
        elif (value := at(live, *keys)) is not None:
            inputs = _set(inputs, keys, value)
    return inputs


def _owns(fields: Iterable[Manifest], path: Path) -> bool:
    return any(at(owned, *(f"f:{step}" for step in path)) is not None for owned in fields)


def _set(manifest: Manifest, keys: tuple[str, ...], value: object) -> Manifest:
    """Return the object with one value set; None takes it away."""
    key, *rest = keys
    if not rest:
        kept = {name: old for name, old in manifest.items() if name != key}
        return kept if value is None else {**kept, key: value}
    below = manifest.get(key)
    if not isinstance(below, dict):
        return manifest if value is None else {**manifest, key: _set({}, tuple(rest), value)}
    return {**manifest, key: _set(below, tuple(rest), value)}
