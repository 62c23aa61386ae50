"""Whether an object is ready, and if not, what is missing, in words. Pure."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from infra.local.kubernetes_provider.manifest import (
    SKIP_AWAIT,
    TIMEOUT_SECONDS,
    WAIT_FOR,
    annotation,
    at,
    number_at,
    objects_at,
    text_at,
)
from infra.local.kubernetes_provider.values import Manifest

DEFAULT_TIMEOUT_SECONDS = 600.0  # the official provider's, for workloads and Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether an object is ready, and what is missing."""

    ready: bool
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What else is read to judge an object."""

    pods: Callable[[], list[Manifest]]
    endpoint_slices: Callable[[], list[Manifest]]
    binding_mode: Callable[[], str]


Judge = Callable[[Manifest, Around], Readiness]
READY = Readiness(ready=True)


class BadWaitFor(Exception):  # noqa: N818 - it is what the annotation is
    """The waitFor annotation cannot be read."""


def skips(inputs: Manifest) -> bool:
    """Whether nobody wants to wait for the object."""
    return annotation(inputs, SKIP_AWAIT) == "true"


def timeout_seconds(inputs: Manifest, custom: float) -> float:
    """Return how long to wait: the resource's own timeout, the annotation's, or the default."""
    written = annotation(inputs, TIMEOUT_SECONDS)
    return custom or (float(written) if written.isdigit() else DEFAULT_TIMEOUT_SECONDS)


def judges(inputs: Manifest) -> tuple[Judge, ...]:
    """Return what has to hold before the object counts as ready; nothing for most kinds."""
    if skips(inputs):
        return ()
    if written := annotation(inputs, WAIT_FOR):
        return wait_for(written)
    judge = _OF_KIND.get((text_at(inputs, "apiVersion"), text_at(inputs, "kind")))
    return (judge,) if judge else ()


def together(live: Manifest, wanted: Iterable[Judge], around: Around) -> Readiness:
    """Judge by all; the words are of the first that does not hold."""
    verdicts = [judge(live, around) for judge in wanted]
    missing = [verdict for verdict in verdicts if not verdict.ready]
    if not missing:
        return READY
    place = f"[{len(verdicts) - len(missing)}/{len(verdicts)}] " if len(verdicts) > 1 else ""
    return Readiness(ready=False, words=place + missing[0].words)


def deployment(live: Manifest, around: Around) -> Readiness:
    """Judge a Deployment: its newest pods are all available. How many it wants, an autoscaler may say."""
    wanted = number_at(live, "spec", "replicas") if at(live, "spec", "replicas") is not None else 1
    if number_at(live, "status", "observedGeneration") < number_at(live, "metadata", "generation"):
        return Readiness(ready=False, words="the Deployment controller has not seen the change yet")
    updated, ready = number_at(live, "status", "updatedReplicas"), number_at(live, "status", "readyReplicas")
    available = _condition(live, "Available")
    progressing = _condition(live, "Progressing")
    rolled_out = text_at(progressing, "reason") == "NewReplicaSetAvailable"
    if at(available, "status") == "True" and rolled_out and min(updated, ready) >= wanted:
        return READY
    words = f"{number_at(live, 'status', 'availableReplicas')} of {wanted} pods available"
    if updated < wanted:
        words += f", {updated} of the new version"
    trouble = troubles(around.pods()) or _refusal(live)
    return Readiness(ready=False, words=f"{words}: {trouble}" if trouble else words)


def service(live: Manifest, around: Around) -> Readiness:
    """Judge a Service: it has pods to send to, and an address where it asks for one."""
    if at(live, "spec", "type") == "LoadBalancer" and not objects_at(
        live, "status", "loadBalancer", "ingress"
    ):
        return Readiness(ready=False, words="no address for the load balancer yet")
    leads_elsewhere = at(live, "spec", "type") == "ExternalName" or at(live, "spec", "clusterIP") == "None"
    if leads_elsewhere or not at(live, "spec", "selector"):
        return READY
    ready = any(
        at(endpoint, "conditions", "ready") is not False
        for endpoint_slice in around.endpoint_slices()
        for endpoint in objects_at(endpoint_slice, "endpoints")
    )
    return Readiness(ready=ready, words="" if ready else "no ready pod to send requests to")


def volume_claim(live: Manifest, around: Around) -> Readiness:
    """Judge a claim: it is bound, or waits for its first pod by design."""
    phase = text_at(live, "status", "phase")
    if phase == "Bound" or (phase == "Pending" and around.binding_mode() == "WaitForFirstConsumer"):
        return READY
    return Readiness(ready=False, words=f"no volume bound yet ({phase or 'no phase'})")


def resource_quota(live: Manifest, _: Around) -> Readiness:
    """Judge a quota: it is in force."""
    in_force = at(live, "spec", "hard") == at(live, "status", "hard")
    return Readiness(ready=in_force, words="" if in_force else "the quota is not in force yet")


_OF_KIND: dict[tuple[str, str], Judge] = {
    ("apps/v1", "Deployment"): deployment,
    ("v1", "Service"): service,
    ("v1", "PersistentVolumeClaim"): volume_claim,
    ("v1", "ResourceQuota"): resource_quota,
}


def wait_for(written: str) -> tuple[Judge, ...]:
    """Read the waitFor annotation: one expression, or a JSON list of them that all have to hold."""
    try:
        listed = json.loads(written)
    except ValueError:
        listed = [written]
    expressions = [str(entry) for entry in listed] if isinstance(listed, list) else [written]
    if not expressions:
        raise BadWaitFor(f"{WAIT_FOR}: at least one condition must be given")
    return tuple(_judge(expression) for expression in expressions)


def _judge(expression: str) -> Judge:
    if expression.startswith("condition="):
        name, _, status = expression.removeprefix("condition=").partition("=")
        return _has_condition(name, status or "True")
    if match := re.fullmatch(r"jsonpath=\{([^}]*)\}(?:=(.*))?", expression):
        return _has_value(expression, _steps(match[1]), match[2])
    raise BadWaitFor(
        f"{WAIT_FOR}: {expression!r}: must be condition=TYPE, condition=TYPE=STATUS, jsonpath={{.path}} or "
        "jsonpath={.path}=VALUE"
    )


def _has_condition(name: str, status: str) -> Judge:
    def judge(live: Manifest, around: Around) -> Readiness:
        observed = number_at(live, "status", "observedGeneration")
        if observed and observed < number_at(live, "metadata", "generation"):
            return Readiness(ready=False, words="its controller has not seen the change yet")
        found = _condition(live, name)
        if text_at(found, "status").lower() == status.lower():
            return READY
        reason = ": ".join(filter(None, (text_at(found, "reason"), text_at(found, "message"))))
        has = text_at(found, "status") or "not set"
        trouble = f"; {reason}" if reason else ""
        return Readiness(ready=False, words=f"condition {name} is to be {status} and is {has}{trouble}")

    return judge


def _condition(live: Manifest, name: str) -> Manifest:
    conditions = objects_at(live, "status", "conditions")
    return next((c for c in conditions if text_at(c, "type").lower() == name.lower()), {})


Step = str | int | tuple[str, str]
"""A key, an index, or the key and value that an entry of a list must have."""

_STEP = re.compile(
    r"""\.((?:[^.\[\]\\]|\\.)+)|\['([^']+)'\]|\[(\d+)\]|\[\?\(@\.([\w-]+)==["']([^"']*)["']\)\]"""
)


def _steps(path: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    end = 0
    for match in _STEP.finditer(path):
        if match.start() != end:
            break
        end = match.end()
        key, quoted, index, filter_key, filter_value = match.groups()
        if filter_key:
            steps.append((filter_key, filter_value))
        else:
            steps.append(int(index) if index else quoted or re.sub(r"\\(.)", r"\1", key))
    if end != len(path) or not steps:
        raise BadWaitFor(f"{WAIT_FOR}: cannot read the path {{{path}}}")
    return tuple(steps)


def _follow(value: object, steps: tuple[Step, ...]) -> object:
    for step in steps:
        match step:
            case str():
                value = at(value, step)
            case int():
                value = value[step] if isinstance(value, list) and step < len(value) else None
            case (key, wanted):
                listed = value if isinstance(value, list) else []
                value = next((item for item in listed if at(item, key) == wanted), None)
    return value


def _has_value(expression: str, steps: tuple[Step, ...], wanted: str | None) -> Judge:
    def judge(live: Manifest, _: Around) -> Readiness:
        found = _follow(live, steps)
        text = found if isinstance(found, str) else json.dumps(found)
        if found is not None and (wanted is None or text == wanted):
            return READY
        has = "is not set" if found is None else f"is {text}"
        return Readiness(ready=False, words=f"{expression} does not hold: it {has}")

    return judge


def troubles(pods: Iterable[Manifest]) -> str:
    """Say why pods are not ready: one reason for all that have it, the most frequent first."""
    counted: dict[str, int] = {}
    for pod in pods:
        if reason := _trouble(pod):
            counted[reason] = counted.get(reason, 0) + 1
    frequent = sorted(counted, key=lambda reason: -counted[reason])
    return "; ".join(f"{counted[reason]} {reason}" for reason in frequent[:3])


def _trouble(pod: Manifest) -> str:
    if _condition(pod, "Ready").get("status") == "True":
        return ""
    for status in objects_at(pod, "status", "containerStatuses"):
        ended = text_at(status, "lastState", "terminated", "reason")
        if waiting := text_at(status, "state", "waiting", "reason"):
            return f"waiting ({waiting}{', last ended: ' + ended if ended else ''})"
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return f"Pending ({text_at(scheduled, 'message') or text_at(scheduled, 'reason')})"
    return f"{text_at(pod, 'status', 'phase') or 'Pending'}, not ready"


def _refusal(live: Manifest) -> str:
    """Say why a Deployment cannot make its pods, where it says so."""
    return text_at(_condition(live, "ReplicaFailure"), "message")
