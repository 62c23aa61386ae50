"""Autoscalers: whole steps, the plan's bounds, metrics that exist."""

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import ceil

from hypothesis import given
from hypothesis import strategies as st
from rendered import ENDPOINTS, MANIFESTS, PLAN, WORKLOADS, body, of_kind, texts
from samples import every_template_and_model, real_stack, sample_plan

from infra.catalog.load import load_catalog
from infra.plan.model import EndpointPlan, RolePlan
from infra.render.autoscaling import formula
from infra.render.make import render
from policies.promql import metric_names


def evaluate(expression: str, **values: float) -> float:
    """Evaluate a formula of KEDA: Python's words, but for `condition ? this : that`."""
    python = re.sub(r"(\w+ > 0) \? ([\d.]+) : ([\d.]+)", r"(\2 if \1 else \3)", expression)
    return float(eval(python, {"__builtins__": {}}, {"ceil": ceil, "max": max, **values}))


def scaled(template: str, model: str, units: Mapping[str, object]) -> EndpointPlan:
    """Return the plan of one endpoint."""
    return sample_plan({"one": {"model": model, "template": template, "units": units}}).endpoints[0]


STEPS = {
    name: template.value.groups_per_step * sum(role.count for role in template.value.roles.values())
    for name, template in real_stack().templates.items()
}


FIRST_MODEL = dict(reversed(every_template_and_model()))


@st.composite
def elastic_endpoints(draw: st.DrawFn) -> EndpointPlan:
    """Return an endpoint of any template with some reserved and some hourly steps."""
    template = draw(st.sampled_from(sorted(STEPS)))
    step = STEPS[template]
    low, more = draw(st.integers(0, 3)), draw(st.integers(1, 5))
    units = {
        "reserved": draw(st.integers(0, 4)) * step,
        "hourly": {"min": low * step, "max": (low + more) * step},
    }
    return scaled(template, FIRST_MODEL[template], units)


def role_of(endpoint: str) -> tuple[EndpointPlan, RolePlan]:
    """Return an endpoint of the sample and its first role."""
    found = next(e for e in PLAN.endpoints if e.name == endpoint)
    return found, found.roles[0]


def test_reserved_units_are_fixed_and_hourly_ones_are_the_autoscalers() -> None:
    """Each hourly workload has one ScaledObject and no replicas; each reserved one has replicas."""
    targets = [texts(m, "spec", "scaleTargetRef") for m in of_kind("ScaledObject")]
    hourly = [w for w in of_kind(*WORKLOADS) if w.name.endswith("-hourly")]
    reserved = [w for w in of_kind(*WORKLOADS) if w.name.endswith("-reserved")]

    assert [{"apiVersion": w.body["apiVersion"], "kind": w.kind, "name": w.name} for w in hourly] == targets
    assert [None] * len(hourly) == [body(w, "spec", "replicas") for w in hourly]
    assert {"chat-serve-reserved": 4, "reasoning-serve-reserved": 1} == {
        w.name: body(w, "spec", "replicas") for w in reserved
    }


def test_a_scaler_comes_before_its_workload() -> None:
    """Until KEDA takes over, a workload without replicas has one pod: that time should be short."""
    order = [(manifest.kind, manifest.name) for manifest in MANIFESTS]
    for scaler in of_kind("ScaledObject"):
        kind = texts(scaler, "spec", "scaleTargetRef")["kind"]

        assert order.index(("ScaledObject", scaler.name)) < order.index((kind, scaler.name))


@given(elastic_endpoints(), st.integers(0, 3000), st.integers(0, 500), st.integers(0, 500))
def test_formulas_yield_whole_steps_of_the_same_groups(
    endpoint: EndpointPlan, running_now: int, waiting: int, held: int
) -> None:
    """Each role's formula yields the groups that the load needs and reserved units lack, in whole steps."""
    scaling = endpoint.scaling
    load = {"running": running_now, "waiting": waiting, "held": held, "recent": 0}
    lacking = max(sum(load.values()) / scaling.concurrency_per_group - scaling.reserved_groups, 0)
    groups = ceil(lacking / scaling.groups_per_step) * scaling.groups_per_step

    assert [groups * role.count for role in endpoint.roles] == [
        evaluate(formula(endpoint, role, load), **load) for role in endpoint.roles
    ]


@given(st.integers(1, 1024), st.integers(100, 1000), st.integers(0, 20_000))
def test_formulas_start_no_step_for_a_load_that_just_fits(
    concurrency: int, headroom_percent: int, load: int
) -> None:
    """However the concurrency divides by the headroom, the groups are those of exact arithmetic."""
    endpoint, role = role_of("agent")
    scaling = replace(endpoint.scaling, concurrency_per_group=concurrency / (headroom_percent / 100))
    needed = ceil(Fraction(load * headroom_percent, 100 * concurrency))

    asked = {"running": load, "waiting": 0, "held": 0, "recent": 0}

    assert needed * role.count == evaluate(formula(replace(endpoint, scaling=scaling), role, asked), **asked)


@given(elastic_endpoints())
def test_bounds_are_whole_steps_and_sleep_is_all_or_nothing(endpoint: EndpointPlan) -> None:
    """The autoscaler keeps to the plan's bounds; from 0 it goes to a whole step at once."""
    plan = replace(PLAN, endpoints=(endpoint,))
    for role, scaler in zip(endpoint.roles, of_kind("ScaledObject", manifests=render(plan)), strict=True):
        spec = texts(scaler, "spec")
        step = endpoint.groups_per_step * role.count

        assert role.replicas.hourly_max == spec["maxReplicaCount"]
        assert (role.replicas.hourly_min or step) == spec["minReplicaCount"] == spec["fallback"]["replicas"]
        assert (0 if role.replicas.hourly_min == 0 else None) == spec.get("idleReplicaCount")
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        for direction in ("scaleUp", "scaleDown"):
            assert [0] == [policy["value"] % step for policy in behavior[direction]["policies"]]


def test_recent_traffic_keeps_an_endpoint_awake_but_not_burst_units() -> None:
    """A request that began and ended between two looks counts where only hourly units serve."""
    idle = {"running": 0, "waiting": 0}

    assert 3 == evaluate(formula(*role_of("agent"), idle), **idle, recent=0.2)
    assert 0 == evaluate(formula(*role_of("agent"), idle), **idle, recent=0)
    assert "recent" not in formula(*role_of("chat"), idle)


def test_a_held_request_wakes_an_endpoint() -> None:
    """One request at the door of a sleeping endpoint is worth a whole step."""
    asked = {"running": 0, "waiting": 0, "held": 1}

    assert 3 == evaluate(formula(*role_of("agent"), asked), **asked, recent=0)


def test_queries_name_metrics_that_the_pinned_engine_reports() -> None:
    """Every metric of every query is in vLLM's list, or ours."""
    known = frozenset(load_catalog().engines["0.32.0"].metrics)
    asked = {
        name
        for scaler in of_kind("ScaledObject")
        for trigger in texts(scaler, "spec")["triggers"]
        for name in metric_names(trigger["metadata"]["query"])
    }

    assert set() == asked - known
    assert 3 == len(asked)


def test_nothing_is_held_without_a_gateway() -> None:
    """A query for what nobody reports would only cost; with a gateway it counts every gateway's share."""
    triggers = {trigger["name"] for m in of_kind("ScaledObject") for trigger in texts(m, "spec")["triggers"]}
    endpoint = {**ENDPOINTS["agent"], "limits": {"queue": 100}}
    gateway = {"image": "registry.example.com/modelunits:0.1.0", "replicas": 3}
    manifests = render(sample_plan({"agent": endpoint}, gateway=gateway))
    held = {
        trigger["metadata"]["query"]
        for m in of_kind("ScaledObject", manifests=manifests)
        for trigger in texts(m, "spec")["triggers"]
        if trigger["name"] == "held"
    }

    assert {"running", "waiting", "recent"} == triggers
    assert held == {
        "sum(34 - envoy_cluster_circuit_breakers_default_remaining_retries"
        '{modelunits_stack="test",modelunits_endpoint="agent"}) or vector(0)'
    }


def test_formulas_use_every_trigger_and_no_other() -> None:
    """A trigger that the formula leaves out costs a query; one that it lacks fails."""
    for scaler in of_kind("ScaledObject"):
        triggers = {trigger["name"] for trigger in texts(scaler, "spec")["triggers"]}
        expression = texts(scaler, "spec", "advanced", "scalingModifiers")["formula"]

        assert triggers == set(re.findall(r"[a-z]+", expression)) - {"ceil", "max"}


def test_scrapes_give_series_the_labels_that_queries_ask_for() -> None:
    """The PodMonitor writes the labels that select an endpoint's series."""
    (monitor,) = (m for m in of_kind("PodMonitor") if m.name == "agent")
    scrapes = texts(monitor, "spec")["podMetricsEndpoints"]

    assert ["http", "metrics"] == [scrape["port"] for scrape in scrapes]
    for scrape in scrapes:
        written = {r["targetLabel"]: r["sourceLabels"] for r in scrape["relabelings"]}
        assert ["__meta_kubernetes_pod_label_modelunits_dev_endpoint"] == written["modelunits_endpoint"]
        assert ["__meta_kubernetes_pod_label_modelunits_dev_stack"] == written["modelunits_stack"]
