"""The dashboard and the alerts over real parts: Prometheus reads the real gateway and real vLLM."""

import json
import math
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from observability.asked import panels
from served import STACK, Served, eventually

from infra.catalog.load import load_catalog
from infra.local import ports, prometheus
from infra.local.progress import Progress
from infra.local.prometheus import Prometheus, Target
from infra.plan.make import make_plan
from infra.plan.model import GatewayPlan, Plan
from infra.render.observability.alerts import alerts, rule_groups
from infra.render.queries import ENDPOINT_LABEL, ROLE_LABEL, STACK_LABEL
from infra.spec.load import load_stack

pytestmark = [pytest.mark.vllm]

SCRAPE_SECONDS = 0.5
PATIENCE_SECONDS = 20.0
FAILS = "Limits and moderation that failed"
"""The panel that has no line while nothing fails."""

SLOW = {"TtftOverTier", "TpotOverTier"}
"""A processor keeps no promise of a GPU."""


@pytest.fixture(scope="module")
def planned(served: Served) -> tuple[Plan, GatewayPlan]:
    """Return the plan of what is served."""
    loaded = load_stack(served.root, STACK)
    assert loaded.stack is not None
    plan = make_plan(loaded.stack, load_catalog(), date(2026, 11, 21)).plan
    assert plan is not None
    assert plan.gateway is not None
    return plan, plan.gateway


@pytest.fixture(scope="module")
def watched(
    served: Served, planned: tuple[Plan, GatewayPlan], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Return a Prometheus that reads the gateway and an engine, after calls and a refusal."""
    folder = tmp_path_factory.mktemp("prometheus")
    rules = folder / "rules.yaml"
    rules.write_text(yaml.safe_dump(rule_groups(*planned)))
    (port,) = ports.quiet(1)
    written = prometheus.configuration(_targets(served), [rules], interval_seconds=SCRAPE_SECONDS)
    program = prometheus.programs(Progress()).prometheus
    with prometheus.running(program, folder, port, written) as server:
        assert eventually(lambda: len(server.ask("up == 1")) == 2, PATIENCE_SECONDS)
        # Prometheus knows how fast a counter grows once it has seen it twice.
        for _ in range(2):
            assert served.chat("chat").status_code == 200
            with served.stream("chat") as stream:
                assert "[DONE]" in stream.read().decode()
            assert served.chat("chat", "mu-wrong").status_code == 401
            time.sleep(3 * SCRAPE_SECONDS)
        yield server


def test_every_panel_has_data(watched: Prometheus, planned: tuple[Plan, GatewayPlan]) -> None:
    """Names and labels of the pinned vLLM and of the gateway are those that the dashboard asks for."""

    def empty() -> list[str]:
        asked = [query for title, queries in panels(*planned).items() if title != FAILS for query in queries]
        return [query for query in asked if not any(math.isfinite(one.value) for one in watched.ask(query))]

    assert eventually(lambda: empty() == [], PATIENCE_SECONDS), empty()


def test_the_gateway_counts_the_tokens_that_vllm_makes(watched: Prometheus) -> None:
    """Streams included: what keys are charged is what engines made."""
    counted = f'sum(increase(envoy_modelunits_output_tokens{{{ENDPOINT_LABEL}="chat"}}[1m]))'
    made = f'sum(increase(vllm:generation_tokens_total{{{ENDPOINT_LABEL}="chat"}}[1m]))'

    assert eventually(lambda: watched.ask(f"({counted}) > 0") != (), PATIENCE_SECONDS)
    assert eventually(lambda: watched.ask(f"abs({counted} - {made}) < 0.2 * {made}") != (), PATIENCE_SECONDS)


def test_no_alert_names_an_endpoint_that_works(
    watched: Prometheus, planned: tuple[Plan, GatewayPlan]
) -> None:
    """Prometheus takes every expression, and the endpoint is in none of those that do not ask for speed."""
    named = {
        alert.name
        for alert in alerts(planned[0])
        for sample in watched.ask(alert.expression)
        if sample.labels.get(ENDPOINT_LABEL, "chat") == "chat"
    }

    assert named <= SLOW


def _targets(served: Served) -> list[Target]:
    gateway = urlsplit(json.loads((served.folder / "serve.json").read_text())["metrics"])
    arguments = Path(f"/proc/{served.leader('engine-chat')}/cmdline").read_text().split("\0")
    (port,) = (each.removeprefix("--port=") for each in arguments if each.startswith("--port="))
    labels = {STACK_LABEL: STACK, ENDPOINT_LABEL: "chat", ROLE_LABEL: "serve"}
    assert httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).status_code == 200
    assert gateway.hostname is not None
    assert gateway.port is not None
    return [
        Target(job="gateway", host=gateway.hostname, port=gateway.port, path=gateway.path),
        Target(job="chat", host="127.0.0.1", port=int(port), labels=labels),
    ]
