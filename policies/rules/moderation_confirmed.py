"""Nobody switches moderation off without a reason and a name.

Input and output of every endpoint are moderated. An endpoint without moderation says why, and who confirmed
it.

This would **PASS**:

    moderation: {enabled: false, reason: "internal evaluation only", confirmed_by: a.lee}

This would **FAIL**, twice:

    moderation: {enabled: false}
"""

from collections.abc import Iterator

from infra.names import ENDPOINT
from policies.reading import flag, text_or_none
from policies.rule import Context, Finding, Resource, Rule

_NEEDED = {"reason": "why moderation is off", "confirmed_by": "who confirmed that moderation is off"}


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    if flag(resource.props, "moderation", "enabled"):
        return
    for key, meaning in _NEEDED.items():
        if not (text_or_none(resource.props, "moderation", key) or "").strip():
            yield Finding(("moderation", key), f"must say {meaning}")


RULE = Rule(
    name="moderation-confirmed",
    description="An endpoint without moderation says why, and who confirmed it.",
    severity="critical",
    remediation="Write reason and confirmed_by beside enabled: false, or switch moderation on.",
    applies_to=(ENDPOINT,),
    check=_check,
    doc=__doc__,
)
