"""Reserved units do not run out unnoticed.

A purchase expires on its due day + 1 at 12:00 in the environment's time zone, and its units are reclaimed
24 h later. From 7 days before the expiry the rule warns; from the reclaim on it fails, because nobody pays
for the units any more. A purchase that renews itself is left alone.

This would **PASS** until 2027-01-29, then warn, and **FAIL** from 2027-02-07 on:

    purchases: [{id: po-1, units: 4, start: 2026-11-05, months: 3}]

This would always **PASS**:

    purchases: [{id: po-1, units: 4, start: 2026-11-05, months: 3, auto_renew: true}]
"""

from collections.abc import Iterator
from datetime import date

from infra.names import ENDPOINT
from policies.exemptions import day
from policies.reading import UnreadableError, flag, items, text, whole
from policies.rule import Context, Finding, Resource, Rule

_WARNING_DAYS = 7


def _check(resource: Resource, context: Context) -> Iterator[Finding]:
    for index, purchase in enumerate(items(resource.props, "purchases")):
        if flag(purchase, "auto_renew"):
            continue
        expires, reclaimed = _day(purchase, "expires_at"), _day(purchase, "reclaimed_at")
        bought, path = text(purchase, "id"), ("units", "purchases", index)
        units = f"{whole(purchase, 'units')} units"
        if context.as_of >= reclaimed:
            yield Finding(
                path, f"{bought} ran out and its {units} were reclaimed on {reclaimed}: renew or remove it"
            )
        elif context.as_of >= expires:
            text_ = (
                f"{bought} ran out on {expires}; its {units} are reclaimed on {reclaimed}: renew or remove it"
            )
            yield Finding(path, text_, level="advisory")
        elif (left := (expires - context.as_of).days) <= _WARNING_DAYS:
            in_days = "tomorrow" if left == 1 else f"in {left} days"
            text_ = f"{bought} runs out {in_days}, on {expires}, with its {units}: renew it or set auto_renew"
            yield Finding(path, text_, level="advisory")


def _day(purchase: object, key: str) -> date:
    found = day(text(purchase, key))
    if found is None:
        raise UnreadableError((key,), "an ISO 8601 instant")
    return found


RULE = Rule(
    name="reserved-expiry",
    description="Purchases of reserved units are renewed or removed before they are reclaimed.",
    severity="medium",
    remediation="Renew the purchase (auto_renew, or a new order), or remove it and its units.",
    applies_to=(ENDPOINT,),
    check=_check,
    doc=__doc__,
)
