"""A workload that an autoscaler scales does not say how many replicas it has.

Whoever writes `spec.replicas` owns it: every `pulumi up` would take the autoscaler's count back to the
written one, and end sessions with it. Hourly units are such a workload, and so is every target of a
ScaledObject or HorizontalPodAutoscaler.

This would **PASS**:

    kind: Deployment
    metadata: {name: chat-serve-hourly, labels: {modelunits.dev/billing: hourly}}
    spec: {template: …}

This would **FAIL**:

    kind: Deployment
    metadata: {name: chat-serve-hourly, labels: {modelunits.dev/billing: hourly}}
    spec: {replicas: 2, template: …}
"""

from collections.abc import Iterator

from infra.names import LABEL_BILLING
from policies.objects import (
    AUTOSCALERS,
    WORKLOADS,
    kind,
    label,
    object_name,
    scaled_workload_key,
    workload_key,
)
from policies.reading import at
from policies.rule import Context, Finding, Resource, Rule

_SCALER_KINDS = {pattern.rsplit(":", 1)[-1] for pattern in AUTOSCALERS}


def _is_scaler(resource: Resource) -> bool:
    return kind(resource) in _SCALER_KINDS


def _relation(resource: Resource) -> str | None:
    return scaled_workload_key(resource) if _is_scaler(resource) else workload_key(resource)


def _check(resource: Resource, context: Context) -> Iterator[Finding]:
    if _is_scaler(resource):
        for other in context.earlier:
            if not _is_scaler(other) and at(other.props, "spec", "replicas") is not None:
                yield Finding(
                    ("spec", "scaleTargetRef", "name"),
                    f"must name a workload without spec.replicas, got {kind(other)} {object_name(other)}",
                )
    elif at(resource.props, "spec", "replicas") is not None:
        scaler = next((other for other in context.earlier if _is_scaler(other)), None)
        if scaler is not None:
            yield _says_replicas(f"{kind(scaler)} {object_name(scaler)}")
        elif label(resource, LABEL_BILLING) == "hourly":
            yield _says_replicas("the autoscaler")


def _says_replicas(owner: str) -> Finding:
    return Finding(("spec", "replicas"), f"must be absent: {owner} decides the number of replicas")


RULE = Rule(
    name="autoscaled-without-replicas",
    description="A workload that an autoscaler scales does not write its number of replicas.",
    severity="high",
    remediation="Remove spec.replicas from the workload; bounds belong to the autoscaler.",
    applies_to=(*WORKLOADS, *AUTOSCALERS),
    check=_check,
    relation=_relation,
    doc=__doc__,
)
