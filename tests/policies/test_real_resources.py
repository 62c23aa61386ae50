"""Rules bite on what the program really registers, not only on their cases."""

from collections.abc import Callable
from copy import deepcopy
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from infra.check import check_stack, resources
from infra.names import ENDPOINT, FLEET
from policies.judge import judge
from policies.objects import kind
from policies.reading import at, items_or_none
from policies.registry import RULES
from policies.rule import Resource

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 21)
Properties = dict[str, Any]
Break = Callable[[Properties], object]


@cache
def _registered() -> tuple[Resource, ...]:
    checked = check_stack(ROOT, "prod", TODAY)
    assert checked.plan is not None
    return tuple(resources(checked.plan, checked.manifests))


def _found(broken: list[Resource]) -> set[str]:
    """Return the rules that find something now and did not before."""
    before = {
        (one.rule, one.resource_name, one.message) for one in judge(_registered(), as_of=TODAY, levels={})
    }
    after = {(one.rule, one.resource_name, one.message) for one in judge(broken, as_of=TODAY, levels={})}
    return {rule for rule, _, _ in after - before}


def _with_first(chosen: Callable[[Resource], bool], change: Break) -> list[Resource]:
    """Return everything, with the first chosen resource changed."""
    everything = list(_registered())
    index = next(index for index, resource in enumerate(everything) if chosen(resource))
    old = everything[index]
    properties = deepcopy(dict(old.props))
    change(properties)
    everything[index] = Resource(type=old.type, name=old.name, props=properties)
    return everything


def _asks_for_gpus(resource: Resource) -> bool:
    return kind(resource) == "Deployment" and _is_hourly(resource)


def _is_hourly(resource: Resource) -> bool:
    return at(resource.props, "metadata", "labels", "modelunits.dev/billing") == "hourly"


def _is(wanted: str) -> Callable[[Resource], bool]:
    return lambda resource: kind(resource) == wanted or resource.type == wanted


def _pod(properties: Properties) -> Properties:
    pod: Properties = properties["spec"]["template"]["spec"]
    return pod


def _put(path: tuple[str | int, ...], value: object) -> Break:
    def change(properties: Properties) -> None:
        place: Any = at(properties, *path[:-1])
        place[path[-1]] = value

    return change


BREAKS: dict[str, tuple[Callable[[Resource], bool], Break]] = {
    "unit-step": (_is(ENDPOINT), lambda p: p.update(step=7)),
    "unit-bounds": (_is(ENDPOINT), _put(("units", "hourly_min"), 10_000)),
    "throughput-chunk": (
        lambda resource: at(resource.props, "throughput") is not None,
        _put(("throughput", "chunk_tps"), 999_983),
    ),
    "team-quota": (_is(FLEET), _put(("quotas", 0, "limit"), -1)),
    "machine-limit": (_is(FLEET), _put(("machines", 0, "max"), -1)),
    "memory-fit": (_is(ENDPOINT), _put(("roles", 0, "memory", "available_gib"), 1.5)),
    "parallelism": (_is(ENDPOINT), _put(("roles", 0, "tensor_parallel"), 3)),
    "unsupported-feature": (
        _is(ENDPOINT),
        lambda p: p.update(features=["responses_api"], unsupported_features=["responses_api"]),
    ),
    "reserved-expiry": (
        lambda resource: bool(items_or_none(resource.props, "purchases")),
        lambda p: p["purchases"][0].update(
            auto_renew=False,
            expires_at="2026-01-01T12:00:00+00:00",
            reclaimed_at="2026-01-02T12:00:00+00:00",
        ),
    ),
    "moderation-confirmed": (
        _is(ENDPOINT),
        lambda p: p.update(moderation={"enabled": False}),
    ),
    "moderation-judge": (
        _is(ENDPOINT),
        lambda p: p.update(moderation={"enabled": True, "judges": []}),
    ),
    "lora-fit": (_is(ENDPOINT), lambda p: p.update(adapters=[{"name": "tone", "rank": 600}])),
    "engine-args": (
        _is(ENDPOINT),
        lambda p: p.update(engine_args=[{"name": "x", "written_in": "engine_args", "known": False}]),
    ),
    "pinned-images": (
        _asks_for_gpus,
        lambda p: _pod(p)["containers"][0].update(image="vllm/vllm-openai:latest"),
    ),
    "autoscaled-without-replicas": (_asks_for_gpus, _put(("spec", "replicas"), 2)),
    "known-metrics": (
        _is("ScaledObject"),
        _put(("spec", "triggers", 0, "metadata", "query"), "sum(vllm:gpu_cache_usage_perc)"),
    ),
    "isolation": (_is("Service"), _put(("spec", "type"), "LoadBalancer")),
    "gpu-toleration": (_asks_for_gpus, lambda p: _pod(p).pop("tolerations")),
    "config-map-size": (_is("ConfigMap"), _put(("data", "routes.json"), "x" * (1 << 20))),
    "exemption": (
        _is(FLEET),
        lambda p: p.update(exemptions=[{"rule": "no-such-rule", "endpoint": "x", "until": "2099-01-01"}]),
    ),
}


@pytest.mark.parametrize("rule", BREAKS)
def test_rule_finds_its_break_in_a_real_stack(rule: str) -> None:
    """One broken value in one resource of `prod` is found by the rule about it."""
    chosen, change = BREAKS[rule]

    assert rule in _found(_with_first(chosen, change))


def test_second_autoscaler_of_a_real_workload_is_found() -> None:
    """A copy of an autoscaler under another name scales the same workload."""
    copied = next(resource for resource in _registered() if kind(resource) == "ScaledObject")
    twin = Resource(type=copied.type, name=f"{copied.name}-too", props=copied.props)

    assert {"one-autoscaler"} == _found([*_registered(), twin])


def test_namespace_without_its_denying_policy_is_found() -> None:
    """Without the policy that denies the rest, a real namespace is not isolated."""

    def is_denying(resource: Resource) -> bool:
        return kind(resource) == "NetworkPolicy" and at(resource.props, "spec", "podSelector") == {}

    assert {"isolation"} == _found([one for one in _registered() if not is_denying(one)])


def test_every_rule_has_a_break() -> None:
    """A new rule is tried on real resources too."""
    assert {rule.name for rule in RULES} == BREAKS.keys() | {"one-autoscaler"}


def test_every_real_pod_tolerates_its_pool() -> None:
    """The pool's own toleration is asked for where the node selector names a pool."""
    for resource in _registered():
        if _asks_for_gpus(resource):
            tolerations = [
                toleration
                for toleration in items_or_none(resource.props, "spec", "template", "spec", "tolerations")
                if at(toleration, "key") != "modelunits.dev/pool"
            ]
            broken = [one for one in _registered() if one is not resource]
            properties = deepcopy(dict(resource.props))
            _pod(properties)["tolerations"] = tolerations
            broken.append(Resource(type=resource.type, name=resource.name, props=properties))

            assert {"gpu-toleration"} == _found(broken)
            return
    pytest.fail("no pod of prod asks for GPUs")
