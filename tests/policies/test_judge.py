"""What the judge does with findings: levels, exemptions, failures of rules."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

import pytest

from infra.names import ENDPOINT, FLEET
from policies.exemptions import WrittenExemption
from policies.judge import Judgement, Violation, judge
from policies.registry import RULES
from policies.rule import Context, Finding, Resource, Rule
from policies.rules import isolation, reserved_expiry, unit_step

TODAY = date(2026, 11, 21)
UNITS = {"reserved": 3, "hourly_min": 0, "hourly_max": 8}
FILE = "stacks/dev/chat.yaml"
OFF_STEP = {"name": "chat", "file": FILE, "step": 4, "units": UNITS, "purchases": [], "throughput": None}
CHAT = Resource(type=ENDPOINT, name="chat", props=OFF_STEP)
SAYS = "units.reserved: must be a multiple of the step 4 (nearest: 0 or 4), got 3"


def _exemption(endpoint: str = "chat", until: date = date(2026, 12, 31)) -> WrittenExemption:
    return WrittenExemption(
        rule="unit-step", endpoint=endpoint, reason="migration", owner="a.lee", until=until
    )


def _unit_step(**given: object) -> tuple[Violation, ...]:
    options: Mapping[str, object] = {"as_of": TODAY, "levels": {}, "rules": (unit_step.RULE,), **given}
    return judge((CHAT,), **options)  # type: ignore[arg-type]


def test_violation_says_where_and_what() -> None:
    """A violation carries rule, level, resource, endpoint and the path in the endpoint's file."""
    assert (
        Violation(
            rule="unit-step",
            level="mandatory",
            resource_type=ENDPOINT,
            resource_name="chat",
            urn="",
            endpoint="chat",
            file=FILE,
            path=("units", "reserved"),
            message=SAYS,
        ),
    ) == _unit_step()
    assert [f"endpoint chat ({FILE}): {SAYS}"] == list(map(str, _unit_step()))


def test_disabled_rule_says_nothing() -> None:
    """A disabled rule is not run."""
    assert _unit_step(levels={"unit-step": "disabled"}) == ()


def test_advisory_rule_warns() -> None:
    """An advisory rule finds the same and stops nothing."""
    (violation,) = _unit_step(levels={"unit-step": "advisory"})

    assert (violation.level, violation.message) == ("advisory", SAYS)


def test_warning_stays_one_where_the_rule_is_mandatory() -> None:
    """What a rule only warns of never stops a deployment."""
    purchase = {
        "id": "po-1",
        "units": 4,
        "auto_renew": False,
        "expires_at": "2026-11-22T12:00:00+00:00",
        "reclaimed_at": "2026-11-23T12:00:00+00:00",
    }
    endpoint = Resource(type=ENDPOINT, name="chat", props={"purchases": [purchase]})

    (violation,) = judge((endpoint,), as_of=TODAY, levels={}, rules=(reserved_expiry.RULE,))

    assert violation.level == "advisory"


def test_exempted_violation_is_shown_with_its_terms() -> None:
    """While an exemption holds, its last day included, the violation is advice with reason, owner and end."""
    exemption = _exemption(until=TODAY)

    (violation,) = _unit_step(exemptions=(exemption,))

    assert violation.level == "advisory"
    assert exemption is violation.exempted_by
    assert f"{SAYS} (exempted until 2026-11-21 by a.lee: migration)" == violation.message


def test_lapsed_exemption_binds_again_and_says_so() -> None:
    """After its last day an exemption stops nothing, and the message says that there was one."""
    (violation,) = _unit_step(exemptions=(_exemption(until=date(2026, 11, 20)),))

    assert violation.level == "mandatory"
    assert violation.exempted_by is None
    assert f"{SAYS} (its exemption lapsed: until 2026-11-20 by a.lee: migration)" == violation.message


def test_longest_exemption_counts() -> None:
    """Of two exemptions for the same, one lapsed, the other holds."""
    lapsed, holds = _exemption(until=date(2026, 1, 1)), _exemption(until=date(2027, 1, 1))

    (violation,) = _unit_step(exemptions=(holds, lapsed))

    assert holds is violation.exempted_by


def test_exemption_of_another_endpoint_changes_nothing() -> None:
    """An exemption is for one endpoint."""
    assert _unit_step() == _unit_step(exemptions=(_exemption(endpoint="search"),))


def test_exemption_covers_the_objects_of_its_endpoint() -> None:
    """A Kubernetes object belongs to the endpoint that its label names."""
    labels = {"modelunits.dev/endpoint": "chat"}
    service = Resource(
        type="kubernetes:core/v1:Service",
        name="chat-serve",
        props={"metadata": {"name": "chat-serve", "labels": labels}, "spec": {"type": "LoadBalancer"}},
    )
    exemption = replace(_exemption(), rule="isolation")

    (violation,) = judge((service,), as_of=TODAY, levels={}, exemptions=(exemption,), rules=(isolation.RULE,))

    assert ("chat", exemption) == (violation.endpoint, violation.exempted_by)


def _rule(check: object, check_all: object = None) -> Rule:
    return replace(unit_step.RULE, check=check, check_all=check_all, applies_to=(ENDPOINT, FLEET))  # type: ignore[arg-type]


def _divides_by_a_secret(_resource: Resource, _context: Context) -> Iterator[Finding]:
    yield Finding((), "found before the failure")
    raise ZeroDivisionError("hunter2")


def test_failing_rule_fails_the_resource() -> None:
    """An exception in a rule is a mandatory violation of that resource, even of an advisory or exempted rule.

    It names rule, resource and place, and none of the exception's words, which may hold a secret.
    """
    violations = judge(
        (CHAT,),
        as_of=TODAY,
        levels={"unit-step": "advisory"},
        exemptions=(_exemption(),),
        rules=(_rule(_divides_by_a_secret),),
    )

    line = _divides_by_a_secret.__code__.co_firstlineno + 2
    assert [
        f"endpoint chat ({FILE}): the rule itself failed (ZeroDivisionError at test_judge.py:{line}): "
        "nothing passes until it is mended or disabled"
    ] == [str(violation) for violation in violations]
    assert violations[0].level == "mandatory"


def _no_finding(_resource: Resource, _context: Context) -> Iterator[Finding]:
    return iter(())


def test_rule_that_fails_over_all_resources_fails_too() -> None:
    """What a rule says when everything is known fails closed as well."""

    def missing(_resources: object, _context: Context) -> Iterator[tuple[Resource, Finding]]:
        raise KeyError("hunter2")

    (violation,) = judge((CHAT,), as_of=TODAY, levels={}, rules=(_rule(_no_finding, missing),))

    assert (violation.level, violation.rule) == ("mandatory", "unit-step")
    assert "KeyError" in violation.message
    assert "hunter2" not in violation.message


def test_rule_about_everything_is_not_asked_about_nothing() -> None:
    """A run without any resource of a rule's types has nothing missing."""

    def missing(_resources: object, _context: Context) -> Iterator[tuple[Resource, Finding]]:
        raise AssertionError("asked")

    assert judge((), as_of=TODAY, levels={}, rules=(_rule(_no_finding, missing),)) == ()


class _UnknownError(Exception):
    pass


@pytest.mark.parametrize("together", [False, True])
def test_chosen_exceptions_pass_through(*, together: bool) -> None:
    """The pack asks for the SDK's exception about unknown values, which it reports in its own way."""

    def unknown(_first: object, _context: Context) -> Iterator[Finding]:
        raise _UnknownError

    rule = _rule(unknown, unknown)
    run = Judgement(as_of=TODAY, levels={}, rules=(rule,), passes_through=(_UnknownError,))

    with pytest.raises(_UnknownError):
        tuple(run.all_by(rule, (CHAT,)) if together else run.by(rule, CHAT))


def test_unreadable_component_is_a_violation_of_every_rule_about_it() -> None:
    """A component of ours that says nothing passes nothing."""
    violations = judge((Resource(type=ENDPOINT, name="chat", props={}),), as_of=TODAY, levels={})

    expected = {rule.name for rule in RULES if ENDPOINT in rule.applies_to} - {"throughput-chunk"}
    assert expected == {violation.rule for violation in violations}
    assert {"mandatory"} == {violation.level for violation in violations}


def test_api_version_does_not_matter() -> None:
    """Rules about Kubernetes objects judge every API version, and no other kind."""
    run = Judgement(as_of=TODAY, levels={})

    assert run.rules_for("kubernetes:apps/v1:Deployment") == run.rules_for("kubernetes:apps/v9:Deployment")
    assert run.rules_for("kubernetes:core/v1:Secret") == ()
    assert run.rules_for("aws:s3/bucket:Bucket") == ()
