"""Exemptions name a rule and an endpoint that exist, and end.

An exemption in the environment says which rule does not bind which endpoint, why, who answers for it and
until when. While it holds, the violation is shown as exempted; afterwards it counts again. An exemption for
nothing would never be missed, so it is an error; one that has lapsed is a warning to remove it. Rules about
the whole fleet bind no single endpoint and know no exemptions.

This would **PASS** until the end of 2026, then warn:

    exemptions: [{rule: unit-step, endpoint: chat, reason: "migration", owner: a.lee, until: 2026-12-31}]

This would **FAIL**:

    exemptions: [{rule: unit-stpe, endpoint: chat, reason: "migration", owner: a.lee, until: 2026-12-31}]
"""

from collections.abc import Iterator

from infra.names import FLEET
from infra.problems import allowed
from policies.exemptions import day
from policies.reading import UnreadableError, items, text
from policies.rule import Context, Finding, Resource, Rule

_FLEET_RULES = ("team-quota", "machine-limit", "config-map-size", "exemption")


def _check(resource: Resource, context: Context) -> Iterator[Finding]:
    endpoints = [str(name) for name in items(resource.props, "endpoints")]
    exemptable = [name for name in context.rules if name not in _FLEET_RULES]
    for index, exemption in enumerate(items(resource.props, "exemptions")):
        path = ("exemptions", index)
        rule, endpoint = text(exemption, "rule"), text(exemption, "endpoint")
        until = day(text(exemption, "until"))
        if until is None:
            raise UnreadableError((*path, "until"), "a date")
        if rule in _FLEET_RULES:
            yield Finding((*path, "rule"), f"{rule} binds no single endpoint; {allowed(exemptable)}")
        elif rule not in exemptable:
            yield Finding((*path, "rule"), f"no rule {rule}; {allowed(exemptable, rule)}")
        if endpoint not in endpoints:
            yield Finding((*path, "endpoint"), f"no endpoint {endpoint}; {allowed(endpoints, endpoint)}")
        if until < context.as_of:
            yield Finding((*path, "until"), f"lapsed on {until}: remove the exemption", level="advisory")


RULE = Rule(
    name="exemption",
    description="Exemptions name a rule and an endpoint that exist, and have not lapsed.",
    severity="medium",
    remediation="Correct the names, or remove the exemption.",
    applies_to=(FLEET,),
    check=_check,
    doc=__doc__,
)
