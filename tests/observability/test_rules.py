"""When each alert begins and what keeps it quiet, by promtool's own unit tests over invented series."""

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from infra.local.prometheus import Programs
from infra.render.observability.alerts import Alert, alerts, rule_groups
from observability.run import GATEWAY, STACK, plan

PLAN = plan()
MINUTES = 60
QUIET_MINUTES = 20
"""How long an alert is watched that shall not fire: longer than most take."""

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs" / "alerts.md"

Series = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Series of a minute's steps, and the first minute in which an alert fires; None: it never does."""

    says: str
    alert: str
    series: Sequence[Series]
    fires_at: int | None
    value: str = ""
    """What the alert's text says of it."""
    endpoint: str | None = "chat"


def series(name: str, values: str, **labels: str) -> Series:
    """Return a series of the endpoint `chat`."""
    written = {"modelunits_stack": STACK, "modelunits_endpoint": "chat", **labels}
    return f"{name}{{{','.join(f'{key}={json.dumps(value)}' for key, value in written.items())}}}", values


def counter(name: str, per_minute: float, **labels: str) -> Series:
    """Return a counter that grows this much."""
    return series(name, f"0+{per_minute:g}x{MINUTES}", **labels)


def latency(name: str, role: str, mean_seconds: float) -> tuple[Series, Series]:
    """Return sum and count of a histogram: 60 of it a minute, with this mean."""
    histogram = f"vllm:{name}_seconds"
    return (
        counter(f"{histogram}_sum", 60 * mean_seconds, modelunits_role=role),
        counter(f"{histogram}_count", 60, modelunits_role=role),
    )


def answers(failed: int) -> tuple[Series, Series]:
    """Return requests of which so many of 100 a minute fail."""
    requests = "envoy_modelunits_requests"
    return (
        counter(requests, failed, modelunits_status="503"),
        counter(requests, 100 - failed, modelunits_status="200"),
    )


def remaining(count: int, endpoint: str = "chat") -> Series:
    """Return how many more requests the gateway may hold."""
    name = "envoy_cluster_circuit_breakers_default_remaining_retries"
    return series(name, f"{count}+0x{MINUTES}", modelunits_endpoint=endpoint)


def tokens(counted: int) -> tuple[Series, Series]:
    """Return tokens of which the engine makes 100 a minute and the gateway counts so many."""
    return (
        counter("vllm:generation_tokens_total", 100, modelunits_role="serve"),
        counter("envoy_modelunits_output_tokens", counted, modelunits_key="search.k1"),
    )


def refusals(reason: str) -> tuple[Series]:
    """Return refusals for a reason, twelve a minute."""
    return (counter("envoy_modelunits_refusals", 12, modelunits_reason=reason),)


def certificate(days: int) -> tuple[Series]:
    """Return the gateway's word on its certificate."""
    return (
        (f'envoy_server_days_until_first_cert_expiring{{modelunits_stack="{STACK}"}}', f"{days}+0x{MINUTES}"),
    )


TTFT, TPOT = "time_to_first_token", "inter_token_latency"
CASES = (
    # A counter's growth is known from minute 1 on.
    Case(
        says="503 after the cold start",
        alert="EndpointUnreachable",
        series=refusals("endpoint_unavailable"),
        fires_at=6,
    ),
    Case(says="another refusal", alert="EndpointUnreachable", series=refusals("queue_full"), fires_at=None),
    Case(says="6 % fail", alert="EndpointFails", series=answers(6), fires_at=6, value="6%"),
    Case(says="4 % fail", alert="EndpointFails", series=answers(4), fires_at=None),
    Case(
        says="mean over the promise of 0.3 s",
        alert="TtftOverTier",
        series=latency(TTFT, "serve", 0.5),
        fires_at=11,
        value="500ms",
    ),
    Case(says="mean below it", alert="TtftOverTier", series=latency(TTFT, "serve", 0.25), fires_at=None),
    Case(
        says="two roles that are over it together",
        alert="TtftOverTier",
        series=(*latency(TTFT, "prefill", 0.25), *latency(TTFT, "decode", 0.25)),
        fires_at=11,
        value="500ms",
    ),
    Case(
        says="a second role that answers nothing",
        alert="TtftOverTier",
        series=(
            *latency(TTFT, "prefill", 0.25),
            counter(f"vllm:{TTFT}_seconds_count", 0, modelunits_role="decode"),
            counter(f"vllm:{TTFT}_seconds_sum", 0, modelunits_role="decode"),
        ),
        fires_at=None,
    ),
    Case(
        says="mean over the promise of 52 ms",
        alert="TpotOverTier",
        series=latency(TPOT, "serve", 0.0625),
        fires_at=11,
        value="62.5ms",
    ),
    Case(says="mean below it", alert="TpotOverTier", series=latency(TPOT, "serve", 0.05), fires_at=None),
    Case(says="850 held of 1000", alert="QueueNearlyFull", series=(remaining(150),), fires_at=5, value="850"),
    Case(says="750 held of 1000", alert="QueueNearlyFull", series=(remaining(250),), fires_at=None),
    Case(
        says="850 wait for a connection",
        alert="QueueNearlyFull",
        series=(remaining(1000), series("envoy_cluster_upstream_rq_pending_active", f"850+0x{MINUTES}")),
        fires_at=5,
        value="850",
    ),
    Case(
        says="held all the cold start", alert="HeldTooLong", series=(remaining(999),), fires_at=60, value="1"
    ),
    Case(says="nothing is held", alert="HeldTooLong", series=(remaining(1000),), fires_at=None),
    Case(
        says="no gateway",
        alert="GatewayDown",
        fires_at=6,
        endpoint=None,
        # Prometheus forgets a series after 5 minutes, or at once where its target is gone.
        series=((f'envoy_server_live{{modelunits_stack="{STACK}"}}', "1x3 stale"),),
    ),
    Case(says="judges fail", alert="ModerationFails", series=refusals("moderation_unavailable"), fires_at=3),
    Case(
        says="judges refuse",
        alert="ModerationFails",
        series=refusals("content_policy_violation"),
        fires_at=None,
    ),
    Case(
        says="limits cannot be asked",
        alert="LimitsOff",
        series=(counter("envoy_cluster_ratelimit_error", 6),),
        fires_at=3,
    ),
    Case(
        says="limits answer",
        alert="LimitsOff",
        series=(counter("envoy_cluster_ratelimit_error", 0),),
        fires_at=None,
    ),
    Case(
        says="the limiter of keys' concurrency is passed by",
        alert="KeyConcurrencyOff",
        series=(counter("envoy_http_ext_proc_key_concurrency_failure_mode_allowed", 6),),
        fires_at=3,
        endpoint=None,
    ),
    Case(
        says="the limiter of keys' concurrency answers",
        alert="KeyConcurrencyOff",
        series=(counter("envoy_http_ext_proc_key_concurrency_failure_mode_allowed", 0),),
        fires_at=None,
        endpoint=None,
    ),
    Case(says="a fifth counted", alert="TokensNotCounted", series=tokens(20), fires_at=16),
    Case(says="nine tenths counted", alert="TokensNotCounted", series=tokens(90), fires_at=None),
    Case(says="nothing ever counted", alert="TokensNotCounted", series=tokens(20)[:1], fires_at=16),
    Case(
        says="13 days",
        alert="CertificateExpires",
        series=certificate(13),
        fires_at=60,
        value="13",
        endpoint=None,
    ),
    Case(says="15 days", alert="CertificateExpires", series=certificate(15), fires_at=None, endpoint=None),
)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Return the rendered rules as a file."""
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rule_groups(PLAN, GATEWAY)))
    return file


def test_the_rules_are_rules(tools: Programs, rules: Path) -> None:
    """Promtool reads every expression and template, and finds nothing said twice."""
    checked = promtool(tools, "check", "rules", rules)

    assert checked.returncode == 0, checked.stderr + checked.stdout
    assert "duplicate" not in checked.stdout


def test_alerts_begin_when_they_should(tools: Programs, rules: Path) -> None:
    """Each alert fires once its state has lasted, not a minute before, and says what it should."""
    tests = [written(case) for case in CASES]
    file = rules.with_name("tests.yaml")
    # Without an order promtool takes groups as they come, and alerts may look a minute too early.
    order = [group["name"] for group in yaml.safe_load(rules.read_text())["groups"]]
    content = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "group_eval_order": order,
        "tests": tests,
    }
    file.write_text(yaml.safe_dump(content))
    tested = promtool(tools, "test", "rules", file)

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_case_and_a_section_to_read() -> None:
    """Nobody is called without a test of it, and without a place to read what to do."""
    names = {alert.name for alert in alerts(PLAN)}

    assert names == {case.alert for case in CASES if case.fires_at is not None}
    assert names == set(re.findall(r"^## (\w+)$", DOCS.read_text(), re.MULTILINE))


def test_every_alert_names_its_stack_and_its_section() -> None:
    """One Alertmanager serves several stacks; a relative address would lead nowhere in it."""
    for alert in alerts(PLAN):
        told = alert.rule()["annotations"]
        assert isinstance(told, dict)
        assert {"summary", "description", "runbook"} == set(told)
        assert "{{ $labels.modelunits_stack }}" in told["summary"]
        assert f"docs/alerts.md#{alert.name.lower()}" == told["runbook"]


def written(case: Case) -> dict[str, object]:
    """Return a case as promtool reads it."""
    alert = next(each for each in alerts(PLAN) if each.name == case.alert and applies(each, case))
    fires: list[dict[str, object]] = []
    if case.fires_at is None:
        looks = [{"eval_time": f"{QUIET_MINUTES}m", "alertname": alert.name, "exp_alerts": fires}]
    else:
        of = {"modelunits_endpoint": case.endpoint} if case.endpoint else {}
        labels = {"severity": alert.severity, "modelunits_stack": STACK, **of}
        fires = [{"exp_labels": labels, "exp_annotations": annotations(alert, case)}]
        looks = [
            {"eval_time": f"{case.fires_at - 1}m", "alertname": alert.name, "exp_alerts": []},
            {"eval_time": f"{case.fires_at}m", "alertname": alert.name, "exp_alerts": fires},
        ]
    inputs = [{"series": name, "values": values} for name, values in case.series]
    if case.alert != "GatewayDown":
        inputs.append(
            {"series": f'envoy_server_live{{modelunits_stack="{STACK}"}}', "values": f"1x{MINUTES}"}
        )
    return {"name": case.says, "interval": "1m", "input_series": inputs, "alert_rule_test": looks}


def applies(alert: Alert, case: Case) -> bool:
    """Tell whether a rule is for the case's endpoint, where it is for one alone."""
    named = re.search(r'modelunits_endpoint="(\w+)"', alert.expression)
    return named is None or named[1] == case.endpoint


def annotations(alert: Alert, case: Case) -> dict[str, str]:
    """Return what an alert says of a case."""
    found = alert.rule()["annotations"]
    assert isinstance(found, dict)
    filled = {
        name: text.replace("{{ $labels.modelunits_stack }}", STACK).replace(
            "{{ $labels.modelunits_endpoint }}", case.endpoint or ""
        )
        for name, text in found.items()
    }
    return {name: re.sub(r"\{\{ \$value.*?\}\}", case.value, text) for name, text in filled.items()}


def promtool(tools: Programs, *words: object) -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    command = [str(tools.promtool), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
