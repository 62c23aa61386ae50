"""Where moderation is on, somebody judges.

An endpoint whose inputs and outputs are moderated needs a gateway that asks, and a judge that answers:
words, patterns, a moderation service or a guard model. Moderation without one is a promise that nobody keeps.

This would **PASS**, in the environment:

    gateway: {image: "registry.example.com/modelunits:0.1.0"}
    moderation: {url: "http://moderator.modelunits:9000"}

This would **FAIL**: the environment has neither, and the endpoint does not switch moderation off.
"""

from collections.abc import Iterator

from infra.names import ENDPOINT
from policies.reading import flag, items
from policies.rule import Context, Finding, Resource, Rule


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    if flag(resource.props, "moderation", "enabled") and not items(resource.props, "moderation", "judges"):
        yield Finding(("moderation",), "is on, and the environment has no gateway and judge to do it")


RULE = Rule(
    name="moderation-judge",
    description="Where moderation is on, the environment has a gateway and a judge.",
    severity="critical",
    remediation=(
        "Write gateway and moderation into the environment, or switch the endpoint's moderation off with a "
        "reason and a name."
    ),
    applies_to=(ENDPOINT,),
    check=_check,
    doc=__doc__,
)
