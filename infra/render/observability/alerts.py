"""When people are called: the alert rules of a stack, each with what to read in docs/alerts.md."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from infra.plan.model import EndpointPlan, GatewayPlan, Plan
from infra.render.gateway import metrics
from infra.render.gateway.errors import ENDPOINT_UNAVAILABLE, MODERATION_UNAVAILABLE, CallerError
from infra.render.gateway_common import gateway_object
from infra.render.manifest import JsonObject, Manifest
from infra.render.observability.expressions import (
    HELD,
    QUEUE_BOUND,
    TPOT,
    TPOT_PROMISE,
    TTFT,
    TTFT_PROMISE,
    mean_through_roles,
    per_second,
    total,
)
from infra.render.observability.promises import promises
from infra.render.queries import ENDPOINT_LABEL, STACK_LABEL

RUNBOOK = "docs/alerts.md"
"""A section per alert, by its name in small letters; a path, as everyone keeps the docs elsewhere."""

WINDOW = "5m"
FAILED_SHARE = 0.05
QUEUE_SHARE = 0.8
COUNTED_SHARE = 0.5
"""Tokens that callers' aborts leave uncounted are far fewer."""
CERTIFICATE_DAYS = 14
"""cert-manager renews 30 days before the end; after half of that someone should look."""

ENGINE_TOKENS = "vllm:generation_tokens_total"
_BY = (STACK_LABEL, ENDPOINT_LABEL)
_STACK = f"{{{{ $labels.{STACK_LABEL} }}}}"
_ENDPOINT = f"{_STACK}/{{{{ $labels.{ENDPOINT_LABEL} }}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One rule: what has to hold for how long, and what people are told."""

    name: str
    expression: str
    for_: str
    severity: Literal["critical", "warning"]
    """Critical: callers suffer now."""
    summary: str
    says: str

    def rule(self) -> JsonObject:
        """Return the rule as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.for_,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": self.says,
                "runbook": f"{RUNBOOK}#{self.name.lower()}",
            },
        }


def alert_rules(plan: Plan, gateway: GatewayPlan) -> Manifest:
    """Return the PrometheusRule of a stack: its promises as series, and its alerts."""
    return gateway_object(
        plan,
        gateway,
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        "alerts",
        component="alerts",
        spec=rule_groups(plan, gateway),
    )


def rule_groups(plan: Plan, gateway: GatewayPlan) -> JsonObject:
    """Return the groups of rules, as a file of rules has them too."""
    prefix = f"modelunits-{plan.stack}"
    return {
        "groups": [
            {"name": f"{prefix}-promises", "rules": promises(plan, gateway)},
            {"name": f"{prefix}-alerts", "rules": [alert.rule() for alert in alerts(plan)]},
        ]
    }


def alerts(plan: Plan) -> tuple[Alert, ...]:
    """Return the alerts of a stack."""
    stack = f'{STACK_LABEL}="{plan.stack}"'
    held = (_held_too_long(endpoint, stack) for endpoint in plan.endpoints)
    return (*_answers(stack), *_promises(stack), *_waiting(stack), *held, *_gateway(stack))


def _answers(stack: str) -> Iterable[Alert]:
    served = f'{stack},{ENDPOINT_LABEL}!~"-?"'  # requests that named no endpoint are nobody's
    everything = per_second(metrics.REQUESTS, served, WINDOW, _BY)
    failed = per_second(metrics.REQUESTS, f'{served},{metrics.STATUS_LABEL}=~"5.."', WINDOW, _BY)
    yield Alert(
        name="EndpointUnreachable",
        expression=f"{_refused(ENDPOINT_UNAVAILABLE, stack)} > 0",
        for_="5m",
        severity="critical",
        summary=f"{_ENDPOINT} cannot be reached",
        says="For 5 minutes callers have been told 503 after the cold-start limit: no engine took their "
        "requests.",
    )
    yield Alert(
        name="EndpointFails",
        expression=f"{failed} / {everything} > {FAILED_SHARE}",
        for_="5m",
        severity="critical",
        summary=f"{_ENDPOINT} answers with errors",
        says=f"For 5 minutes more than {FAILED_SHARE:.0%} of its requests have ended with a status of 500 to "
        "599: {{ $value | humanizePercentage }}.",
    )


def _promises(stack: str) -> Iterable[Alert]:
    for name, histogram, promise, what in (
        ("TtftOverTier", TTFT, TTFT_PROMISE, "time to first token"),
        ("TpotOverTier", TPOT, TPOT_PROMISE, "time per output token"),
    ):
        promised = total(promise, stack, _BY)
        yield Alert(
            name=name,
            expression=f"{mean_through_roles(histogram, stack, WINDOW)} > {promised}",
            for_="10m",
            severity="warning",
            summary=f"{_ENDPOINT} is slower than its tier",
            says=f"For 10 minutes the mean {what} has been over the tier's promise: "
            "{{ $value | humanizeDuration }}.",
        )


def _waiting(stack: str) -> Iterable[Alert]:
    nearly = f"{QUEUE_SHARE} * {total(QUEUE_BOUND, stack, _BY)}"
    queues = (total(series, stack, _BY) for series in (HELD, metrics.PENDING_REQUESTS))
    yield Alert(
        name="QueueNearlyFull",
        expression=" or ".join(f"({queue} > {nearly})" for queue in queues),
        for_="5m",
        severity="warning",
        summary=f"{_ENDPOINT} soon refuses requests",
        says=f"For 5 minutes more than {QUEUE_SHARE:.0%} of its queue have waited: "
        "{{ $value | humanize }} requests. Beyond the bound callers get 429.",
    )


def _held_too_long(endpoint: EndpointPlan, stack: str) -> Alert:
    of = f'{stack},{ENDPOINT_LABEL}="{endpoint.name}"'
    return Alert(
        name="HeldTooLong",
        expression=f"{total(HELD, of, _BY)} > 0",
        for_=f"{endpoint.startup_timeout_seconds}s",
        severity="critical",
        summary=f"{_ENDPOINT} does not wake up",
        says=f"Requests have been held for the whole cold-start limit, {endpoint.startup_timeout_seconds} s: "
        "{{ $value | humanize }} now.",
    )


def _gateway(stack: str) -> Iterable[Alert]:
    counted = per_second(metrics.OUTPUT_TOKENS, stack, WINDOW, _BY)
    made = per_second(ENGINE_TOKENS, stack, WINDOW, _BY)
    days = f"min by ({STACK_LABEL}) ({metrics.CERTIFICATE_DAYS}{{{stack}}})"
    yield Alert(
        name="GatewayDown",
        expression=f"absent({metrics.LIVE}{{{stack}}})",
        for_="2m",
        severity="critical",
        summary=f"No gateway of {_STACK} is up",
        says="Prometheus has read no live gateway of this stack for 2 minutes: no endpoint can be called.",
    )
    yield Alert(
        name="ModerationFails",
        expression=f"{_refused(MODERATION_UNAVAILABLE, stack)} > 0",
        for_="2m",
        severity="critical",
        summary=f"{_ENDPOINT} refuses requests that it cannot judge",
        says="For 2 minutes the moderator or one of its judges has not answered, and nothing passes without "
        "it: callers get 503.",
    )
    yield Alert(
        name="LimitsOff",
        expression=f"{per_second(metrics.RATELIMIT_ERRORS, stack, WINDOW, _BY)} > 0",
        for_="2m",
        severity="warning",
        summary=f"Limits of {_ENDPOINT} do not hold",
        says="For 2 minutes ratelimit or its Redis has not answered. Requests pass uncounted.",
    )
    yield Alert(
        name="KeyConcurrencyOff",
        expression=f"{per_second(metrics.UNCOUNTED, stack, WINDOW, (STACK_LABEL,))} > 0",
        for_="2m",
        severity="warning",
        summary=f"Limits of keys' concurrency in {_STACK} do not hold",
        says="For 2 minutes the limiter beside a gateway has not answered. Requests pass uncounted; the "
        "concurrency of whole endpoints holds.",
    )
    yield Alert(
        name="TokensNotCounted",
        expression=f"({made} > 0) unless ({counted} > {COUNTED_SHARE} * {made})",
        for_="15m",
        severity="warning",
        summary=f"Tokens of {_ENDPOINT} are not counted",
        says=f"For 15 minutes the gateway has counted less than {COUNTED_SHARE:.0%} of the tokens that the "
        "engines made: limits of tokens do not hold, and keys' use is too low.",
    )
    yield Alert(
        name="CertificateExpires",
        expression=f"{days} < {CERTIFICATE_DAYS}",
        for_="1h",
        severity="warning",
        summary=f"The certificate of the gateway of {_STACK} ends soon",
        says="It ends in {{ $value | humanize }} days, and nobody has renewed it.",
    )


def _refused(error: CallerError, stack: str) -> str:
    return per_second(metrics.REFUSALS, f'{stack},{metrics.REASON_LABEL}="{error.code}"', WINDOW, _BY)
