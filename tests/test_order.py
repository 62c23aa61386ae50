"""What must be there before what: held against every manifest of our own stacks."""

from datetime import date
from pathlib import Path

import pytest

from infra import names
from infra.check import check_stack
from infra.order import WORKLOADS, Step, ordered

ROOT = Path(__file__).parent.parent
DAY = date(2026, 11, 21)


@pytest.fixture(scope="module", params=["dev", "prod", "local"])
def steps(request: pytest.FixtureRequest) -> tuple[Step, ...]:
    """The steps of a stack."""
    checked = check_stack(ROOT, request.param, DAY)
    return ordered(checked.usable_plan(), checked.manifests)


def _needed(steps: tuple[Step, ...], step: Step) -> list[Step]:
    return [steps[position] for position in step.after]


def _kind(step: Step) -> object:
    return step.manifest.body["kind"]


def test_every_manifest_waits_for_earlier_ones_only(steps: tuple[Step, ...]) -> None:
    """So registering them one after the other never deadlocks, and deleting goes back the same way."""
    assert all(needed < position for position, step in enumerate(steps) for needed in step.after)


def test_resources_have_names_of_their_own(steps: tuple[Step, ...]) -> None:
    """Two resources of one type and name would be one to Pulumi."""
    assert len(steps) == len({(step.type_token, step.name) for step in steps})


def test_what_is_in_a_namespace_waits_for_it(steps: tuple[Step, ...]) -> None:
    """The API server refuses objects of a namespace that is not there."""
    for step in steps:
        if "/" in step.name:
            spaces = [needed.name for needed in _needed(steps, step) if _kind(needed) == "Namespace"]
            assert [step.name.split("/")[0]] == spaces


def test_workloads_wait_for_walls_and_machines(steps: tuple[Step, ...]) -> None:
    """No pod starts before its team's quota and network policies are there."""
    for step in steps:
        if _kind(step) in WORKLOADS and step.manifest.owner_kind == names.ENDPOINT:
            owners = {needed.manifest.owner_kind for needed in _needed(steps, step)}
            kinds = {_kind(needed) for needed in _needed(steps, step)}
            assert {names.TEAM, names.NODE_POOL} <= owners
            assert {"NetworkPolicy", "ResourceQuota"} <= kinds


def test_the_gateway_waits_for_its_walls_its_files_and_its_account(steps: tuple[Step, ...]) -> None:
    """No pod of the gateway starts in an open namespace, or without what it reads."""
    found = [step for step in steps if step.manifest.owner_kind == names.GATEWAY_TYPE]
    assert {_kind(step) for step in found if step.after} >= {"Deployment", "Service", "ConfigMap"}
    for step in found:
        if _kind(step) in WORKLOADS:
            kinds = {_kind(needed) for needed in _needed(steps, step)}
            assert {"Namespace", "NetworkPolicy", "ConfigMap", "ServiceAccount"} <= kinds
            assert {names.GATEWAY_TYPE} == {needed.manifest.owner_kind for needed in _needed(steps, step)}


def test_an_autoscaled_workload_waits_for_its_scaler(steps: tuple[Step, ...]) -> None:
    """Without `replicas` it would start a pod that no step contains."""
    scaled = [step for step in steps if step.name.endswith("-hourly") and _kind(step) in WORKLOADS]
    assert scaled
    for step in scaled:
        assert "ScaledObject" in {_kind(needed) for needed in _needed(steps, step)}


def test_endpoints_do_not_wait_for_each_other(steps: tuple[Step, ...]) -> None:
    """They deploy in parallel: a slow one holds up nobody."""
    for step in steps:
        if step.manifest.owner_kind == names.ENDPOINT:
            waits_for = {
                needed.manifest.owner
                for needed in _needed(steps, step)
                if needed.manifest.owner_kind == names.ENDPOINT
            }
            assert waits_for <= {step.manifest.owner}
