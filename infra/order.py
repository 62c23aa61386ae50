"""What must exist before what, and how resources are called. Pure; everything else starts in parallel."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infra import names
from infra.plan.model import Plan
from infra.render.make import Manifest

WORKLOADS = ("Deployment", "LeaderWorkerSet")
"""Kinds that start pods."""

WALL = "NetworkPolicy"

Key = tuple[str, ...]
"""What manifests wait for: a namespace, its walls, pools of a machine, an account, files, a scaler."""


@dataclass(frozen=True, slots=True)
class Step:
    """One manifest to register, after others."""

    manifest: Manifest
    after: tuple[int, ...]
    """Positions of the steps that must be done first; all of them are earlier ones."""

    @property
    def name(self) -> str:
        """Return the resource's name: `<namespace>/<name>`, or the name of what has no namespace.

        Why: an endpoint that moves to another team gets new resources, and they start before the old
        ones stop.
        """
        namespace = _text(self.manifest, "metadata", "namespace")
        name = _text(self.manifest, "metadata", "name")
        return f"{namespace}/{name}" if namespace else name

    @property
    def type_token(self) -> str:
        """Return the token that the Kubernetes provider knows the manifest's kind by."""
        version = _text(self.manifest, "apiVersion")
        return f"kubernetes:{'core/v1' if version == 'v1' else version}:{_text(self.manifest, 'kind')}"


def ordered(plan: Plan, manifests: Iterable[Manifest]) -> tuple[Step, ...]:
    """Return a step for each manifest, in an order in which it can wait for earlier ones only.

    Why: deleting goes the other way round. Nodes leave after the workloads on them, and a namespace
    when it is empty.
    """
    machine_of_pool = {pool.name: pool.machine for pool in plan.node_pools}
    machines_of_endpoint = {e.name: sorted({role.machine for role in e.roles}) for e in plan.endpoints}
    done: dict[Key, list[int]] = {}
    steps: list[Step] = []
    for manifest in sorted(manifests, key=_turn):
        needs = _needs(manifest, machines_of_endpoint)
        after = sorted({position for key in needs for position in done.get(key, ())})
        for key in _provides(manifest, machine_of_pool):
            done.setdefault(key, []).append(len(steps))
        steps.append(Step(manifest, tuple(after)))
    return tuple(steps)


def _turn(manifest: Manifest) -> int:
    kind = _text(manifest, "kind")
    if kind == "Namespace":
        return 0
    if manifest.owner_kind not in (names.ENDPOINT, names.GATEWAY_TYPE):
        return 1
    return 3 if kind in WORKLOADS else 2


def _provides(manifest: Manifest, machine_of_pool: Mapping[str, str]) -> tuple[Key, ...]:
    kind = _text(manifest, "kind")
    namespace = _text(manifest, "metadata", "namespace")
    if kind == "Namespace":
        return (("namespace", _text(manifest, "metadata", "name")),)
    if manifest.owner_kind == names.NODE_POOL:
        return (("machine", machine_of_pool[manifest.owner]),)
    if kind == "ScaledObject":
        target = tuple(_text(manifest, "spec", "scaleTargetRef", key) for key in ("kind", "name"))
        return (("scaler", namespace, *target),)
    # Not the walls of an endpoint: no other endpoint of its namespace waits for it.
    if manifest.owner_kind == names.TEAM or (manifest.owner_kind == names.GATEWAY_TYPE and kind == WALL):
        return (("walls", namespace),)
    if kind == "ServiceAccount":
        return (("account", namespace, manifest.owner),)
    if kind == "ConfigMap":
        return (("files", namespace),)
    return ()


def _needs(manifest: Manifest, machines_of_endpoint: Mapping[str, Iterable[str]]) -> tuple[Key, ...]:
    kind, name = _text(manifest, "kind"), _text(manifest, "metadata", "name")
    namespace = _text(manifest, "metadata", "namespace")
    needs: list[Key] = [("namespace", namespace)]
    if kind in WORKLOADS:
        needs += [("walls", namespace), ("account", namespace, manifest.owner), ("files", namespace)]
    if kind in WORKLOADS and manifest.owner_kind == names.ENDPOINT:
        needs += [("machine", machine) for machine in machines_of_endpoint[manifest.owner]]
        # Without `replicas` a new workload asks for one pod, until its scaler says how many.
        needs += [("scaler", namespace, kind, name)]
    return tuple(needs)


def _text(manifest: Manifest, *path: str) -> str:
    """Return the text at a path of a manifest, or nothing."""
    value: object = manifest.body
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
