"""The build layer registers what plan and manifests say, below the right parents, and decides nothing."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.stack import run_pulumi_func

from infra import names
from infra.build import build
from infra.check import Checked, check_stack
from infra.order import ordered

ROOT = Path(__file__).parent.parent
DAY = date(2026, 11, 21)
COMPONENTS = {names.FLEET, names.NODE_POOL, names.TEAM, names.GATEWAY_TYPE, names.ENDPOINT}
PROVIDER = "pulumi:providers:kubernetes"
INVENTED = {*COMPONENTS, PROVIDER}


class Recorder(Mocks):
    """An engine that takes everything and remembers the order."""

    def __init__(self) -> None:
        self.registered: list[MockResourceArgs] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[object, object]]:
        """Remember a resource."""
        self.registered.append(args)
        return f"{args.name}-id", args.inputs

    def call(self, args: MockCallArgs) -> tuple[dict[object, object], None]:
        """Nothing is asked of providers."""
        raise AssertionError(args.token)


def run(program: Callable[[], None], recorder: Recorder | None = None) -> list[MockResourceArgs]:
    """Run a program against a recorder and return what it registered, in order."""
    recorder = recorder or Recorder()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        set_mocks(recorder, project="modelunits", stack="prod", preview=True)
        loop.run_until_complete(run_pulumi_func(program))
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    return recorder.registered


@pytest.fixture(scope="module")
def checked() -> Checked:
    """The production stack."""
    return check_stack(ROOT, "prod", DAY)


@pytest.fixture(scope="module")
def registered(checked: Checked) -> Iterator[list[MockResourceArgs]]:
    """What the program registers for it."""
    return run(lambda: build(checked.usable_plan(), checked.manifests))


def test_every_component_is_registered_before_anything_of_the_cluster(
    registered: list[MockResourceArgs],
) -> None:
    """So rules have judged the whole stack when the first object is created."""
    kinds = ["component" if each.typ in COMPONENTS else "object" for each in registered]

    assert sorted(kinds) == kinds
    assert registered[0].typ == names.FLEET
    assert next(each.typ for each in registered if each.typ not in COMPONENTS) == PROVIDER


def test_every_manifest_is_registered_as_it_is(checked: Checked, registered: list[MockResourceArgs]) -> None:
    """Nothing is added, left out or changed on the way."""
    steps = ordered(checked.usable_plan(), checked.manifests)
    bodies = {(each.typ, each.name): each.inputs for each in registered if each.typ not in INVENTED}

    assert {(step.type_token, step.name): step.manifest.body for step in steps} == bodies


def test_the_provider_names_the_cluster_and_nobodys_kubeconfig(registered: list[MockResourceArgs]) -> None:
    """A colleague with another kubeconfig sees no change."""
    inputs = next(each.inputs for each in registered if each.typ == PROVIDER)

    assert inputs == {
        "clusterIdentifier": "prod-gpu",
        "context": "prod-gpu",
        "enableConfigMapMutable": "true",
    }


def test_every_manifest_is_below_its_owner(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pulumi's tree reads like the plan: fleet, then endpoint, then its objects."""
    below: dict[str, str] = {}
    real = pulumi.CustomResource.__init__

    def remember(self: pulumi.CustomResource, token: str, name: str, *rest: object) -> None:
        options = next(each for each in rest if isinstance(each, pulumi.ResourceOptions))
        assert options.parent is not None
        below[f"{token} {name}"] = options.parent.pulumi_resource_name
        real(self, token, name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(pulumi.CustomResource, "__init__", remember)

    run(lambda: build(checked.usable_plan(), checked.manifests))

    steps = ordered(checked.usable_plan(), checked.manifests)
    owners = {f"{step.type_token} {step.name}": step.manifest.owner for step in steps}
    assert owners | {f"{PROVIDER} cluster": "fleet"} == below
