"""Units are bought and scaled in whole steps.

A step is `groups_per_step` of the template times the units of one group: fewer can serve nobody. Reserved
units, every purchase, and both bounds of the hourly units are multiples of it. Bounds in tokens/s are
judged by `throughput-chunk`.

With a template whose step is 4, this would **PASS**:

    units: {reserved: 4, hourly: {min: 0, max: 8}}

This would **FAIL**:

    units: {reserved: 4, hourly: {min: 0, max: 10}}
"""

from collections.abc import Iterator

from infra.names import ENDPOINT
from policies.multiples import multiple
from policies.reading import at, items, whole
from policies.rule import Context, Finding, Resource, Rule


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    props = resource.props
    step = whole(props, "step")
    purchases = items(props, "purchases")
    for index, purchase in enumerate(purchases):
        yield from multiple(("units", "purchases", index, "units"), whole(purchase, "units"), step, "step")
    if not purchases:
        yield from multiple(("units", "reserved"), whole(props, "units", "reserved"), step, "step")
    if at(props, "throughput") is None:
        for bound in ("min", "max"):
            path = ("units", "hourly", bound)
            yield from multiple(path, whole(props, "units", f"hourly_{bound}"), step, "step")


RULE = Rule(
    name="unit-step",
    description="Units are bought and scaled in whole steps of the template.",
    severity="high",
    remediation="Write the nearest multiple of the step that the message names.",
    applies_to=(ENDPOINT,),
    check=_check,
    doc=__doc__,
)
