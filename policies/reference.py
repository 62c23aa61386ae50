"""Writes the rules' page of the reference from their docstrings."""

from collections.abc import Iterator

from policies.registry import RULES
from policies.rule import Rule

_INTRODUCTION = """\
# Rules

Every rule runs in `modelunits check`, at the start of the Pulumi program, and in the policy pack.
A violation stops the deployment before anything changes.
A stack makes a rule advisory in `policies/config/<stack>.json`; an exemption spares one endpoint for a while.
A rule that cannot read what it judges, or fails itself, is a violation too.
"""


def rules_page() -> str:
    """Return the page, with one section per rule."""
    return "\n".join([_INTRODUCTION, *_table(), *(_section(rule) for rule in RULES)])


def _table() -> Iterator[str]:
    yield "| Rule | What it asks | Severity |\n|---|---|---|"
    for rule in RULES:
        yield f"| [{rule.name}](#{rule.name}) | {rule.description} | {rule.severity} |"
    yield ""


def _section(rule: Rule) -> str:
    judged = ", ".join(_called(pattern) for pattern in rule.applies_to)
    remedy = f"**Judges:** {judged}.\n\n**Remedy:** {rule.remediation}"
    return f"## {rule.name}\n\n{rule.doc.strip()}\n\n{remedy}\n"


def _called(pattern: str) -> str:
    """Shorten a type token: kubernetes:apps/*:Deployment is a Deployment."""
    return pattern.rsplit(":", 1)[-1]
