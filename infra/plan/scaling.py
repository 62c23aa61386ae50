"""When hourly units come and go: from the tier and the headroom."""

from datetime import timedelta

from infra.plan.model import Scaling, Units
from infra.plan.units import groups, hourly_groups
from infra.spec.endpoint import Endpoint
from infra.spec.template import Performance, Template

DEFAULT_SLEEP_AFTER = timedelta(minutes=30)
"""For an endpoint that may sleep and does not say when: several times what loading weights takes."""


def scaling(
    endpoint: Endpoint, template: Template, performance: Performance, bought: Units, step: int
) -> Scaling:
    """Return the load at which one more group starts, and the bounds of the hourly groups."""
    per_step = template.groups_per_step
    min_groups, max_groups = hourly_groups(bought, step, per_step)
    return Scaling(
        concurrency_per_group=performance.concurrency / endpoint.headroom,
        reserved_groups=groups(bought.reserved, step, per_step),
        groups_per_step=per_step,
        min_groups=min_groups,
        max_groups=max_groups,
        sleep_after_seconds=_sleep_after_seconds(endpoint, bought),
    )


def _sleep_after_seconds(endpoint: Endpoint, bought: Units) -> int | None:
    """Return what is written, even where it cannot be: the rule unit-bounds refuses it there."""
    if endpoint.sleep_after is not None:
        return int(endpoint.sleep_after.total_seconds())
    if bought.min == 0 and bought.hourly_max > 0:
        return int(DEFAULT_SLEEP_AFTER.total_seconds())
    return None
