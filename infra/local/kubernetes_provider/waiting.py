"""Waiting until an object is ready, or gone."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from infra.local.kubernetes_provider.client import ApiError, Cluster, NoSuchKind
from infra.local.kubernetes_provider.manifest import at, name_of, namespace_of, objects_at, said, text_at
from infra.local.kubernetes_provider.readiness import Around, Readiness, judges, timeout_seconds, together
from infra.local.kubernetes_provider.values import Manifest


class NotReady(Exception):  # noqa: N818 - it is what the object is
    """An object exists and is not ready, or not gone, in time."""

    def __init__(self, message: str, live: Manifest) -> None:
        super().__init__(message)
        self.live = live


def judge_now(cluster: Cluster, inputs: Manifest, live: Manifest) -> Readiness:
    """Judge an object as it is, with no waiting."""
    return together(live, judges(inputs), _around(cluster, live))


def until_ready(
    cluster: Cluster,
    inputs: Manifest,
    live: Manifest,
    *,
    custom_timeout: float,
    tell: Callable[[str], None],
    cancelled: threading.Event,
) -> Manifest:
    """Wait until an object is ready, telling what is missing; return it as it then is."""
    if not judges(inputs):
        return live
    limit = timeout_seconds(inputs, custom_timeout)
    started = time.monotonic()
    for seen in cluster.changes(live):
        if seen is None:
            raise NotReady(f"{said(live)} was deleted while waiting for it", live)
        live = seen
        verdict = judge_now(cluster, inputs, live)
        if verdict.ready:
            tell("")
            return live
        waiting = f"waiting for {said(live)}: {verdict.words}"
        tell(waiting)
        _give_up(waiting, started, limit, live, cancelled)
    raise AssertionError("the changes of an object never end")


def until_gone(
    cluster: Cluster,
    inputs: Manifest,
    live: Manifest,
    *,
    custom_timeout: float,
    tell: Callable[[str], None],
    cancelled: threading.Event,
) -> None:
    """Wait until an object is gone, telling what keeps it."""
    limit = timeout_seconds(inputs, custom_timeout)
    started = time.monotonic()
    for seen in cluster.changes(live):
        if seen is None or at(seen, "metadata", "uid") != at(live, "metadata", "uid"):
            tell("")
            return
        waiting = f"waiting for {said(live)} to be gone{_keeps(seen)}"
        tell(waiting)
        _give_up(waiting, started, limit, seen, cancelled)


def _give_up(waiting: str, started: float, limit: float, live: Manifest, cancelled: threading.Event) -> None:
    if cancelled.is_set():
        raise NotReady(f"cancelled while {waiting}", live)
    if time.monotonic() - started > limit:
        raise NotReady(f"timed out after {limit:.0f} s {waiting}", live)


def _keeps(live: Manifest) -> str:
    """Say what keeps an object from going: its finalizers, or what a namespace still holds."""
    held = [
        text_at(condition, "message")
        for condition in objects_at(live, "status", "conditions")
        if at(condition, "status") == "True" and text_at(condition, "type").endswith("Remaining")
    ]
    finalizers = at(live, "metadata", "finalizers")
    named = [f"finalizer {name}" for name in finalizers] if isinstance(finalizers, list) else []
    return f": {'; '.join(held or named)}" if held or named else ""


def _around(cluster: Cluster, live: Manifest) -> Around:
    namespace = namespace_of(live)

    def pods() -> list[Manifest]:
        labels = at(live, "spec", "selector", "matchLabels")
        return cluster.select("v1", "Pod", namespace, labels) if isinstance(labels, dict) else []

    def endpoint_slices() -> list[Manifest]:
        labels = {"kubernetes.io/service-name": name_of(live)}
        return cluster.select("discovery.k8s.io/v1", "EndpointSlice", namespace, labels)

    def binding_mode() -> str:
        storage_class: Manifest = {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": text_at(live, "spec", "storageClassName")},
        }
        with suppress(ApiError, NoSuchKind):
            return text_at(cluster.get(storage_class), "volumeBindingMode")
        return ""

    return Around(pods=pods, endpoint_slices=endpoint_slices, binding_mode=binding_mode)
