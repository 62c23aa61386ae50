"""A rule that does not bind an endpoint for a while: who answers for it, why, and until when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from policies.reading import at, items_or_none, text_or_none


class Exemption(Protocol):
    """What the judge needs of an exemption; the plan has its own."""

    @property
    def rule(self) -> str:
        """The rule that does not bind."""

    @property
    def endpoint(self) -> str:
        """The endpoint that it does not bind."""

    @property
    def reason(self) -> str:
        """Why."""

    @property
    def owner(self) -> str:
        """Who answers for it."""

    @property
    def until(self) -> date:
        """The last day on which it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenExemption:
    """An exemption as the environment says it."""

    rule: str
    endpoint: str
    reason: str
    owner: str
    until: date


def exemptions_of(environment: object) -> Iterator[WrittenExemption]:
    """Read the exemptions of `modelunits:environment`; one that cannot be read exempts nothing."""
    for item in items_or_none(environment, "exemptions"):
        words = [text_or_none(item, key) for key in ("rule", "endpoint", "reason", "owner")]
        until = day(at(item, "until"))
        if all(words) and until:
            rule, endpoint, reason, owner = (word or "" for word in words)
            yield WrittenExemption(rule=rule, endpoint=endpoint, reason=reason, owner=owner, until=until)


def day(written: object) -> date | None:
    """Read a day; Pulumi may have turned it into a timestamp."""
    if not isinstance(written, str):
        return None
    try:
        return date.fromisoformat(written[:10])
    except ValueError:
        return None


def exemption_for(rule: str, endpoint: str | None, exemptions: Sequence[Exemption]) -> Exemption | None:
    """Return the exemption that holds longest, lapsed or not."""
    found = [one for one in exemptions if one.rule == rule and one.endpoint == endpoint]
    return max(found, key=lambda one: one.until, default=None)


def terms(exemption: Exemption) -> str:
    """Say who answers for an exemption, until when and why."""
    return f"until {exemption.until} by {exemption.owner}: {exemption.reason}"
