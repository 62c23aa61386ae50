"""The endpoints at peak need no more machines than the environment allows.

Instances are packed onto machines per pool, and an instance that spans machines takes whole ones. The sum
over all endpoints at reserved + hourly.max is at most `max` of the machine.

With `machines: {h20-8: {max: 20}}`, endpoints that fill 20 machines of h20-8 at peak would **PASS**.
Endpoints that fill 21 would **FAIL**.
"""

from collections.abc import Iterator

from infra.names import FLEET
from policies.reading import items, text, whole
from policies.rule import Context, Finding, Resource, Rule


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    for use in items(resource.props, "machines"):
        machine, peak, limit = text(use, "machine"), whole(use, "peak"), whole(use, "max")
        if peak > limit:
            yield Finding(
                ("machines", machine, "max"),
                f"must be at least {peak}: so many machines of {machine} run at peak, got {limit}",
            )


RULE = Rule(
    name="machine-limit",
    description="Machines at peak are within the environment's limit.",
    severity="high",
    remediation="Lower hourly.max of endpoints on this machine, or raise its max in the environment.",
    applies_to=(FLEET,),
    check=_check,
    doc=__doc__,
)
