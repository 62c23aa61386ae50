"""What callers need, the template can give.

`features` says what callers need beyond plain chat: structured output, the Responses API, the Context API. A
template lists what it cannot give in `unsupported_features`; disaggregated ones usually list all three.

With a template that has `unsupported_features: [structured_output]`, this would **PASS**:

    features: {responses_api: true}

This would **FAIL**:

    features: {structured_output: true}
"""

from collections.abc import Iterator

from infra.names import ENDPOINT
from policies.reading import UnreadableError, items, text
from policies.rule import Context, Finding, Resource, Rule


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    template = text(resource.props, "template")
    unsupported = _names(resource, "unsupported_features")
    for feature in _names(resource, "features"):
        if feature in unsupported:
            yield Finding(
                ("features", feature),
                f"must be false: template {template} does not support {', '.join(unsupported)}",
            )


def _names(resource: Resource, key: str) -> tuple[str, ...]:
    names = tuple(name for name in items(resource.props, key) if isinstance(name, str))
    if len(names) != len(items(resource.props, key)):
        raise UnreadableError((key,), "a list of names")
    return names


RULE = Rule(
    name="unsupported-feature",
    description="The template can give every feature that callers need.",
    severity="medium",
    remediation="Choose a template that supports the feature, or switch the feature off.",
    applies_to=(ENDPOINT,),
    check=_check,
    doc=__doc__,
)
