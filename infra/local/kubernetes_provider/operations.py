"""What the provider does with one object: check, create, read, update, delete."""

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from infra.local.kubernetes_provider.client import ApiError, Cluster, NoSuchKind
from infra.local.kubernetes_provider.kubeconfig import Settings
from infra.local.kubernetes_provider.manifest import (
    AUTONAMED,
    DELETION_PROPAGATION,
    WAIT_FOR,
    annotation,
    at,
    id_of,
    is_custom,
    name_of,
    namespace_of,
    prune,
    text_at,
    with_metadata,
    without_server_metadata,
)
from infra.local.kubernetes_provider.ownership import forces, taken_over, without_ignored
from infra.local.kubernetes_provider.readiness import skips, wait_for
from infra.local.kubernetes_provider.values import Manifest, has_unknown
from infra.local.kubernetes_provider.waiting import until_gone, until_ready

CREATE_ATTEMPTS = 5
"""A namespace or a definition that is created at the same time may come a moment later."""
OWNERSHIP_ATTEMPTS = 10
"""Controllers write an object's status between our reading and our writing."""

_DELETED_WITHOUT_WAITING = frozenset(
    {"Namespace", "Pod", "ReplicationController", "DaemonSet", "Deployment", "StatefulSet", "Job"}
)
"""Kinds whose deletion the official provider does not wait for with skipAwait."""


class Refused(Exception):  # noqa: N818 - it is what the request is
    """The request cannot be done, for a reason that the user can change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What one operation works with."""

    cluster: Cluster
    settings: Settings
    tell: Callable[[str], None]
    cancelled: threading.Event
    custom_timeout: float = 0.0
    preview: bool = False
    ignore: tuple[str, ...] = field(default=())


def checked(
    inputs: Manifest, old_inputs: Manifest, *, resource_name: str, default_namespace: str
) -> Manifest:
    """Return inputs with a name and namespace; refuse what could never be created."""
    for key in ("apiVersion", "kind"):
        if not text_at(inputs, key):
            raise Refused(f"{key}: must be set, as the API server needs it")
    if written := annotation(inputs, WAIT_FOR):
        wait_for(written)
    if at(inputs, "metadata", "generateName"):
        raise Refused("metadata.generateName: not supported with server-side apply")
    inputs = without_server_metadata(inputs)
    if not name_of(inputs):
        inputs = _named(inputs, old_inputs, resource_name)
    if default_namespace and not namespace_of(inputs):
        inputs = with_metadata(inputs, namespace=default_namespace)
    return inputs


def _named(inputs: Manifest, old_inputs: Manifest, resource_name: str) -> Manifest:
    """Return inputs with the name that was made for them before, or that of the resource."""
    was_autonamed = annotation(old_inputs, AUTONAMED) == "true"
    name = name_of(old_inputs) if was_autonamed else resource_name
    if not name:
        raise Refused("metadata.name: must be set, as naming by itself is disabled")
    annotations = at(inputs, "metadata", "annotations")
    return with_metadata(
        inputs,
        name=name,
        annotations={**(annotations if isinstance(annotations, dict) else {}), AUTONAMED: "true"},
    )


def random_name(resource_name: str, seed: bytes) -> str:
    """Return a name for an object that has none."""
    return f"{resource_name}-{hashlib.sha256(seed or secrets.token_bytes(8)).hexdigest()[:8]}"


def create(doing: Doing, inputs: Manifest, manager: str) -> Manifest | None:
    """Create an object and wait until it is ready; None: the preview cannot say what will be."""
    if doing.preview:
        return _previewed(doing, inputs, manager)
    for attempt in range(CREATE_ATTEMPTS):
        try:
            live = _sent(doing, inputs, manager)
            break
        except (ApiError, NoSuchKind) as error:
            is_missing = isinstance(error, NoSuchKind) or error.status == 404
            if not is_missing or attempt == CREATE_ATTEMPTS - 1 or doing.cancelled.is_set():
                raise
            doing.tell(f"trying again: {error}")
            doing.cancelled.wait(2**attempt)
    return _when_ready(doing, inputs, live)


def _when_ready(doing: Doing, inputs: Manifest, live: Manifest) -> Manifest:
    return until_ready(
        doing.cluster,
        inputs,
        live,
        custom_timeout=doing.custom_timeout,
        tell=doing.tell,
        cancelled=doing.cancelled,
    )


def _previewed(doing: Doing, inputs: Manifest, manager: str) -> Manifest | None:
    if has_unknown(inputs):
        return None
    try:
        live = _sent(doing, inputs, manager)
    except NoSuchKind:
        return None
    except ApiError as error:
        no_namespace_yet = error.status == 404 and "namespaces" in str(error)
        if no_namespace_yet or error.reason in {"AlreadyExists", "Forbidden"}:
            return None
        raise
    return {key: value for key, value in live.items() if key != "status"}


def _sent(doing: Doing, inputs: Manifest, manager: str) -> Manifest:
    if not doing.settings.upsert:
        return doing.cluster.create(inputs, manager=manager, dry_run=doing.preview)
    force = doing.preview or forces(inputs, {}, always=doing.settings.patch_force, preview=False)
    return _applied(doing, inputs, manager, force=force)


def _applied(doing: Doing, inputs: Manifest, manager: str, *, force: bool) -> Manifest:
    try:
        return doing.cluster.apply(inputs, manager=manager, force=force, dry_run=doing.preview)
    except ApiError as error:
        if error.reason != "Conflict":
            raise
        raise Refused(
            f"others manage fields that the program sets: {error}\n"
            "take the fields out of the program, ignore their changes, or set the annotation "
            'pulumi.com/patchForce: "true"'
        ) from error


def update(doing: Doing, inputs: Manifest, old_live: Manifest, manager: str) -> Manifest | None:
    """Apply changed inputs and wait until the object is ready; None: the preview cannot say what will be."""
    if doing.preview and has_unknown(inputs):
        return None
    inputs = with_metadata(inputs, name=name_of(old_live))
    try:
        live = doing.cluster.get(inputs)
    except NoSuchKind:
        if doing.preview:
            return None
        raise
    if not doing.preview:
        live = _owned(doing.cluster, live, manager)
    inputs = without_ignored(inputs, live, doing.ignore, manager)
    force = forces(inputs, live, always=doing.settings.patch_force, preview=doing.preview)
    try:
        live = _applied(doing, inputs, manager, force=force)
    except ApiError as error:
        if doing.preview and error.reason == "Forbidden":
            return None
        raise
    if doing.preview:
        return live
    return _when_ready(doing, inputs, live)


def _owned(cluster: Cluster, live: Manifest, manager: str) -> Manifest:
    """Hand the fields of the creation over to our applies."""
    for _ in range(OWNERSHIP_ATTEMPTS):
        entries = taken_over(live, manager)
        if entries is None:
            return live
        version = text_at(live, "metadata", "resourceVersion")
        try:
            return cluster.replace_metadata(live, {"resourceVersion": version, "managedFields": entries})
        except ApiError as error:
            if error.reason != "Conflict":
                raise
        live = cluster.get(live)
    raise Refused(f"{id_of(live)} changes too often to be updated; try again")


def delete(doing: Doing, inputs: Manifest, live: Manifest) -> None:
    """Delete an object and wait until it is gone; one that is gone already is no error."""
    found = doing.cluster.exists(live)
    if found is None:
        return
    try:
        doing.cluster.delete(live, propagation=_propagation(inputs))
    except ApiError as error:
        if error.status == 404:
            return
        raise
    if skips(inputs) and text_at(live, "kind") in _DELETED_WITHOUT_WAITING:
        return
    until_gone(
        doing.cluster,
        inputs,
        found,
        custom_timeout=doing.custom_timeout,
        tell=doing.tell,
        cancelled=doing.cancelled,
    )


def _propagation(inputs: Manifest) -> str:
    wanted = annotation(inputs, DELETION_PROPAGATION).capitalize()
    return wanted if wanted in {"Orphan", "Background"} else "Foreground"


def inputs_from(live: Manifest, old_inputs: Manifest) -> Manifest:
    """Return the inputs that a live object would have come from; of an import, all it may set."""
    if old_inputs:
        return {**prune(live, old_inputs, keep_empty=not is_custom(live)), **_texts(live, old_inputs)}
    return without_server_metadata({key: value for key, value in live.items() if key != "status"})


def _texts(live: Manifest, old_inputs: Manifest) -> Manifest:
    """Return a Secret's texts from its data: the API server never shows them as texts."""
    texts, data = old_inputs.get("stringData"), live.get("data")
    if not isinstance(texts, dict) or not isinstance(data, dict):
        return {}
    return {"stringData": {key: base64.b64decode(data[key]).decode() for key in texts if key in data}}
