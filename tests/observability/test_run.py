"""The dashboard and the alerts of a stack, asked of a real Prometheus during a run with broken endpoints."""

import math

import pytest

from infra.render.observability.alerts import alerts
from infra.render.queries import ENDPOINT_LABEL
from observability.asked import panels
from observability.run import GATEWAY, QUEUE, STACK, Run, plan, until

pytestmark = pytest.mark.slow

FIRES = {
    "EndpointUnreachable": {"gone"},
    "EndpointFails": {"gone", "judged"},
    "TtftOverTier": {"slow"},
    "TpotOverTier": {"slow"},
    "QueueNearlyFull": {"asleep"},
    "HeldTooLong": {"asleep"},
    "GatewayDown": set[str](),
    "ModerationFails": {"judged"},
    "LimitsOff": {"slow"},
    "KeyConcurrencyOff": {""},
    "TokensNotCounted": {"leaky"},
    "CertificateExpires": {""},
}
"""Endpoints of the run by the alert that they have earned; '' where an alert is about the whole stack."""

QUIET = ("Preemptions", "Time waited in engines")
"""Nothing of the kind happens in fake engines."""


PANELS = panels(plan(), GATEWAY)


def values(run: Run, query: str) -> tuple[float, ...]:
    """Ask Prometheus."""
    return tuple(sample.value for sample in run.prometheus.ask(query))


@pytest.mark.parametrize("panel", PANELS)
def test_every_query_of_the_dashboard_returns_data(run: Run, panel: str) -> None:
    """Each line of each graph is a number while the stack works; where something happened, not only 0."""
    for query in PANELS[panel]:
        assert until(lambda query=query: any(map(math.isfinite, values(run, query)))), query
    if panel not in QUIET:
        assert until(lambda: any(value > 0 for query in PANELS[panel] for value in values(run, query)))


@pytest.mark.parametrize("name", FIRES)
def test_every_alert_finds_its_broken_endpoint_and_no_other(run: Run, name: str) -> None:
    """An alert's expression names the endpoints that are broken in its way; the healthy one is in none."""
    expressions = [alert.expression for alert in alerts(run.plan) if alert.name == name]

    def found() -> set[str]:
        samples = (sample for expression in expressions for sample in run.prometheus.ask(expression))
        return {sample.labels.get(ENDPOINT_LABEL, "") for sample in samples}

    assert until(lambda: found() == FIRES[name]), found()


def test_there_is_no_alert_but_those(run: Run) -> None:
    """The table above is whole."""
    assert {alert.name for alert in alerts(run.plan)} == FIRES.keys()


def test_no_gateway_at_all_is_found(run: Run) -> None:
    """For a stack whose gateway Prometheus does not know the alert fires."""
    (alert,) = (each for each in alerts(run.plan) if each.name == "GatewayDown")

    assert (1.0,) == values(run, alert.expression.replace(STACK, "other"))


def test_prometheus_runs_the_rules(run: Run) -> None:
    """The rendered rules are loaded and evaluated: held requests are counted, alerts wait."""
    held = f'modelunits:held:requests{{{ENDPOINT_LABEL}="asleep"}}'
    pending = 'ALERTS{alertname="HeldTooLong",alertstate="pending"}'

    assert until(lambda: values(run, held) == (QUEUE,))
    assert until(lambda: len(values(run, pending)) == 1)
