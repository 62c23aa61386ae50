"""The third gate: the rules as Pulumi policies, which judge every resource of any program."""

from collections.abc import Iterable
from functools import partial
from typing import NoReturn

from pulumi_policy import (
    EnforcementLevel,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
)
from pulumi_policy import policy as sdk

from policies.analyzer import RuleAnalyzer, SettingsOf
from policies.levels import DEFAULT_LEVEL
from policies.rule import Rule

DOCUMENTATION = "docs/reference/rules.md"


def policies_of(rules: Iterable[Rule]) -> list[sdk.Policy]:
    """Return one policy per rule, so that the engine knows its name, weight and remedy."""
    return [
        ResourceValidationPolicy(
            name=rule.name,
            description=rule.description,
            validate=_judged_elsewhere,
            enforcement_level=EnforcementLevel(DEFAULT_LEVEL),
            severity=Severity(rule.severity),
            remediation_steps=rule.remediation,
            url=f"{DOCUMENTATION}#{rule.name}",
        )
        for rule in rules
    ]


def _judged_elsewhere(_args: ResourceValidationArgs, _report: ReportViolation) -> NoReturn:
    raise NotImplementedError("rules run in RuleAnalyzer; this pack does not fit the installed pulumi-policy")


def judge_with_rules(settings_of: SettingsOf) -> None:
    """Make the next PolicyPack judge with our rules at once instead of the SDK's policy after policy.

    Why: the SDK reads every resource anew for each policy, shows no exemptions, and does not know which
    policies judge which types. Rules that would still reach the SDK's own analyzer fail loudly.
    """
    setattr(sdk, "_PolicyAnalyzerServicer", partial(RuleAnalyzer, settings_of=settings_of))  # noqa: B010
