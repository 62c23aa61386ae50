"""Every rule says exactly what its cases say, however the properties reach it."""

import pytest
from rule_cases import Case, cases, cases_of

from policies.judge import Violation, judge
from policies.registry import RULES
from policies.rule import Resource, Rule

CASES = tuple(cases())
_LEVELS = {"warns": "advisory", "fails": "mandatory"}


def _judged(case: Case, resources: tuple[Resource, ...]) -> tuple[Violation, ...]:
    return judge(resources, as_of=case.as_of, levels={}, rules=(case.rule,))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_says_what_its_case_says(case: Case) -> None:
    """A rule passes, warns or fails a resource with exactly the messages of the case."""
    violations = _judged(case, case.resources)

    assert case.says == tuple(map(str, violations))
    assert [_LEVELS[case.verdict] for _ in case.says] == [violation.level for violation in violations]
    assert (case.verdict == "passes") == (not case.says)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_says_the_same_through_pulumis_proxies(case: Case) -> None:
    """Floats for integers, and mappings and lists that are no dict and no list, change no verdict."""
    from google.protobuf import json_format, struct_pb2
    from pulumi_policy.deserialize import deserialize_properties, serialize_properties
    from pulumi_policy.proxy import unknown_checking_proxy

    def proxied(resource: Resource) -> Resource:
        message = struct_pb2.Struct()
        message.update(serialize_properties(resource.props))
        properties = deserialize_properties(json_format.MessageToDict(message))
        return Resource(type=resource.type, name=resource.name, props=unknown_checking_proxy(properties))

    assert case.says == tuple(map(str, _judged(case, tuple(map(proxied, case.resources)))))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_has_a_passing_and_a_failing_case(rule: Rule) -> None:
    """A rule that nothing passes, or nothing fails, is no rule."""
    assert {"passes", "fails"} <= {case.verdict for case in cases_of(rule)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_documents_itself(rule: Rule) -> None:
    """Purpose, and examples that would pass and fail, are in the docstring of a file named like the rule."""
    assert "**PASS**" in rule.doc
    assert "**FAIL**" in rule.doc
    assert rule.description.endswith(".")
    assert rule.remediation.endswith(".")


def test_rules_have_different_names() -> None:
    """Levels and exemptions name a rule without doubt."""
    assert len(RULES) == len({rule.name for rule in RULES})
