"""Pods that ask for GPUs tolerate the taints of the nodes that have them.

GPU nodes carry the taint `nvidia.com/gpu`, and those of Model Units one with their pool's name. A pod that
asks for GPUs without tolerating them waits for ever, and makes Karpenter add machines that it cannot use.

This would **PASS**:

    tolerations: [{key: nvidia.com/gpu, operator: Exists}]
    containers: [{resources: {limits: {nvidia.com/gpu: 8}}}]

This would **FAIL**:

    containers: [{resources: {limits: {nvidia.com/gpu: 8}}}]
"""

from collections.abc import Iterator

from infra.names import GPU_RESOURCE, LABEL_POOL, TAINT_GPU, TAINT_POOL
from policies.objects import WITH_PODS, containers, pod_specs
from policies.reading import at, items_or_none, mapping_or_none, text_or_none
from policies.rule import Context, Finding, Path, Resource, Rule


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    for path, pod in pod_specs(resource):
        if not any(_asks_for_gpus(container.body) for container in containers(path, pod)):
            continue
        where: Path = (*path, "tolerations")
        if not _tolerates(pod, TAINT_GPU, None):
            yield Finding(where, f"must tolerate {TAINT_GPU}: a container asks for GPUs")
        pool = text_or_none(pod, "nodeSelector", LABEL_POOL)
        if pool is not None and not _tolerates(pod, TAINT_POOL, pool):
            yield Finding(where, f"must tolerate {TAINT_POOL}={pool}: the node selector asks for that pool")


def _asks_for_gpus(container: object) -> bool:
    for key in ("limits", "requests"):
        asked = mapping_or_none(container, "resources", key).get(GPU_RESOURCE)
        if asked is not None and str(asked) not in {"0", "0.0"}:
            return True
    return False


def _tolerates(pod: object, key: str, value: str | None) -> bool:
    for toleration in items_or_none(pod, "tolerations"):
        tolerated = text_or_none(toleration, "key")
        exists = at(toleration, "operator") == "Exists"
        effect = at(toleration, "effect")
        if effect not in (None, "", "NoSchedule"):  # a tuple: what people wrote may have no hash
            continue
        if (tolerated is None and exists) or (
            tolerated == key and (exists or value is None or at(toleration, "value") == value)
        ):
            return True
    return False


RULE = Rule(
    name="gpu-toleration",
    description="Pods that ask for GPUs tolerate the taints of GPU nodes.",
    severity="high",
    remediation="Add tolerations for nvidia.com/gpu and for the pool that the node selector names.",
    applies_to=WITH_PODS,
    check=_check,
    doc=__doc__,
)
