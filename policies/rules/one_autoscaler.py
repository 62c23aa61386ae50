"""A workload has one autoscaler.

Two of them, a ScaledObject and a HorizontalPodAutoscaler or two of a kind, undo each other's decisions for
ever.

A ScaledObject `chat` for Deployment `chat-serve-hourly` alone would **PASS**.
A ScaledObject and a HorizontalPodAutoscaler for it would **FAIL**.
"""

from collections.abc import Iterator

from policies.objects import AUTOSCALERS, kind, object_name, scaled_workload_key
from policies.rule import Context, Finding, Resource, Rule


def _check(resource: Resource, context: Context) -> Iterator[Finding]:
    for other in context.earlier[:1]:
        _, target_kind, target = (scaled_workload_key(resource) or "//").split("/", 2)
        yield Finding(
            ("spec", "scaleTargetRef"),
            f"must not be {target_kind} {target}: {kind(other)} {object_name(other)} scales it already",
        )


RULE = Rule(
    name="one-autoscaler",
    description="A workload has no more than one autoscaler.",
    severity="high",
    remediation="Remove one of the two autoscalers.",
    applies_to=AUTOSCALERS,
    check=_check,
    relation=scaled_workload_key,
    doc=__doc__,
)
