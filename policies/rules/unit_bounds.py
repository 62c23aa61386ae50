"""Bounds make sense: a minimum is no more than its maximum, and sleep starts from zero.

An endpoint has at least one step at peak. Hourly units have min <= max. Only an endpoint whose reserved +
hourly.min is 0 can sleep, because reserved units are always on. Reserved units of all endpoints fit in the
machines that the environment pays by the month.

This would **PASS**:

    units: {hourly: {min: 0, max: 8}}
    sleep_after: 30m

This would **FAIL**, twice:

    units: {reserved: 4, hourly: {min: 8, max: 4}}
    sleep_after: 30m
"""

from collections.abc import Iterator

from infra.names import ENDPOINT, FLEET
from policies.reading import at, items, text, whole
from policies.rule import Context, Finding, Path, Resource, Rule


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    yield from _fleet(resource) if resource.type == FLEET else _endpoint(resource)


def _endpoint(resource: Resource) -> Iterator[Finding]:
    props = resource.props
    throughput = at(props, "throughput")
    if throughput is None:
        low, high = whole(props, "units", "hourly_min"), whole(props, "units", "hourly_max")
        where: Path = ("units", "hourly", "min")
    else:
        low, high = whole(throughput, "min_tps"), whole(throughput, "max_tps")
        where = ("throughput", "min")
    if low > high:
        yield Finding(where, f"must be at most the max {high}, got {low}")
    # Where purchases have run out, reserved-expiry says so.
    if whole(props, "units", "max") == 0 and not items(props, "purchases"):
        step = whole(props, "step")
        yield Finding(("units",), f"must allow at least one step ({step}) in reserved or hourly.max, got 0")
    if at(props, "sleep_after_seconds") is not None and (always_on := whole(props, "units", "min")):
        reserved = whole(props, "units", "reserved")
        yield Finding(
            ("sleep_after",),
            "must be absent: only an endpoint whose reserved + hourly.min is 0 can sleep, "
            f"got {reserved} + {always_on - reserved}",
        )


def _fleet(resource: Resource) -> Iterator[Finding]:
    for use in items(resource.props, "machines"):
        machine, used, limit = text(use, "machine"), whole(use, "reserved_used"), whole(use, "reserved")
        if used > limit:
            yield Finding(
                ("machines", machine, "reserved"),
                f"must be at least {used}: so many machines {machine} the endpoints' reserved units fill, "
                f"got {limit}",
            )


RULE = Rule(
    name="unit-bounds",
    description="Bounds are in order, sleep starts from zero, reserved units fit in reserved machines.",
    severity="high",
    remediation="Correct the bound that the message names, or order more reserved machines.",
    applies_to=(ENDPOINT, FLEET),
    check=_check,
    doc=__doc__,
)
