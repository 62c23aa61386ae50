"""A team stays within its quota at peak.

Quota is counted in units of a machine type: reserved plus hourly.max of every endpoint of the team, per
machine. The environment says how many a team may reach; a machine that it does not name is none.

With `teams: {search: {quota: {h20-8: 24}}}` and one endpoint of the team on h20-8, this would **PASS**:

    units: {reserved: 16, hourly: {max: 8}}

This would **FAIL**:

    units: {reserved: 16, hourly: {max: 16}}
"""

from collections.abc import Iterator

from infra.names import FLEET
from policies.reading import items, text, whole
from policies.rule import Context, Finding, Resource, Rule


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    for quota in items(resource.props, "quotas"):
        team, machine = text(quota, "team"), text(quota, "machine")
        used, limit = whole(quota, "used"), whole(quota, "limit")
        if used > limit:
            yield Finding(
                ("teams", team, "quota", machine),
                f"must be at least {used}: so many units of {machine} the team reaches at peak, got {limit}",
            )


RULE = Rule(
    name="team-quota",
    description="A team's units of a machine at peak are within its quota.",
    severity="high",
    remediation="Lower reserved or hourly.max of the team's endpoints, or raise the quota.",
    applies_to=(FLEET,),
    check=_check,
    doc=__doc__,
)
