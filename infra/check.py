"""The first two gates: load, plan and render a stack, judge it by every rule, and say where each problem is.

The third gate, the policy pack, runs the same rules over what Pulumi registers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from infra import names
from infra.catalog.load import load_catalog
from infra.order import ordered
from infra.plan.document import (
    endpoint_properties,
    fleet_properties,
    gateway_properties,
    node_pool_properties,
    team_properties,
)
from infra.plan.make import make_plan
from infra.plan.model import Plan
from infra.problems import Problem, SpecError
from infra.render.make import Manifest, render
from infra.spec.load import load_stack
from infra.spec.stack import Stack
from policies.judge import Violation, judge
from policies.levels import Levels, LevelsError, levels_from_file
from policies.rule import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A stack with everything that is to be said about it, in file order."""

    plan: Plan | None
    """The plan of what is valid; None where there is nothing to plan from."""
    manifests: tuple[Manifest, ...]
    problems: tuple[Problem, ...]
    """What stops a deployment."""
    warnings: tuple[Problem, ...]
    """What does not: advisory rules and exempted violations."""

    def usable_plan(self) -> Plan:
        """Return the plan of a stack without problems.

        Raises:
            SpecError: there are problems; it carries all of them.
        """
        if self.problems or self.plan is None:
            raise SpecError(self.problems)
        return self.plan


def check_stack(root: Path, name: str, as_of: date) -> Checked:
    """Load, plan, render and judge one stack; reads files, changes nothing."""
    loaded = load_stack(root, name)
    if loaded.stack is None:
        return Checked(plan=None, manifests=(), problems=loaded.problems, warnings=())
    planned = make_plan(loaded.stack, load_catalog(), as_of)
    manifests = render(planned.plan)
    problems = {*loaded.problems, *planned.problems}
    warnings: set[Problem] = set()
    try:
        levels: Levels = levels_from_file(root / _levels_file(name))
    except LevelsError as error:
        problems.add(Problem(_levels_file(name), 1, 1, str(error), "levels"))
        levels = {}
    violations = judge(
        resources(planned.plan, manifests), as_of=as_of, levels=levels, exemptions=planned.plan.exemptions
    )
    for violation in violations:
        said = problems if violation.level == "mandatory" else warnings
        said.add(_located(loaded.stack, violation))
    return Checked(
        plan=planned.plan,
        manifests=manifests,
        problems=tuple(sorted(problems)),
        warnings=tuple(sorted(warnings)),
    )


def resources(plan: Plan, manifests: tuple[Manifest, ...]) -> Iterator[Resource]:
    """Yield what the Pulumi program will register, as rules see it."""
    yield Resource(type=names.FLEET, name="fleet", props=fleet_properties(plan))
    for pool in plan.node_pools:
        yield Resource(type=names.NODE_POOL, name=pool.name, props=node_pool_properties(pool))
    for team in plan.teams:
        yield Resource(type=names.TEAM, name=team.name, props=team_properties(team))
    if plan.gateway:
        yield Resource(type=names.GATEWAY_TYPE, name=names.GATEWAY, props=gateway_properties(plan.gateway))
    for endpoint in plan.endpoints:
        yield Resource(type=names.ENDPOINT, name=endpoint.name, props=endpoint_properties(endpoint))
    for step in ordered(plan, manifests):
        yield Resource(type=step.type_token, name=step.name, props=step.manifest.body)


def _located(stack: Stack, violation: Violation) -> Problem:
    """Return a violation at the place in the files where its author can mend it."""
    endpoint = next((e for e in stack.endpoints if e.name == violation.endpoint), None)
    source = endpoint.source if endpoint else stack.environment.source
    return source.problem(violation.path, violation.message, violation.rule)


def _levels_file(stack: str) -> str:
    return f"policies/config/{stack}.json"
