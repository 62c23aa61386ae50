"""Units, steps, groups and replicas: how much of each role an endpoint has."""

from math import ceil

from infra.plan.model import Purchase, Replicas, Throughput, Units
from infra.spec import endpoint as spec
from infra.spec.template import Template


def step_units(template: Template) -> int:
    """Return the units of one step: every bound is a multiple of it."""
    return template.groups_per_step * sum(role.count for role in template.roles.values())


def throughput(written: spec.Throughput, tps_per_step: float) -> Throughput:
    """Return the written tokens/s, and their chunk: what one step does, in whole tokens/s."""
    return Throughput(min_tps=written.min, max_tps=written.max, chunk_tps=chunk(tps_per_step))


def chunk(tps_per_step: float) -> int:
    """Return the tokens/s that throughput is sold in: what one step does, in whole ones."""
    return max(1, int(tps_per_step))


def units(written: spec.Units, bought: tuple[Purchase, ...], asked: Throughput | None, step: int) -> Units:
    """Return the units as they are written, bought, or asked for in tokens/s."""
    reserved = written.reserved or sum(purchase.units for purchase in bought if purchase.counts)
    if asked is not None:
        hourly_min, hourly_max = (
            step * ceil(tps / asked.chunk_tps) for tps in (asked.min_tps, asked.max_tps)
        )
        return Units(reserved=reserved, hourly_min=hourly_min, hourly_max=hourly_max)
    hourly = written.hourly or spec.Hourly()
    return Units(reserved=reserved, hourly_min=hourly.min, hourly_max=hourly.max)


def groups(bought: int, step: int, groups_per_step: int) -> int:
    """Return the groups that units make up; units that are no multiple of the step are rounded up to one.

    Why: the rule unit-step refuses them; but a plan that shows too little would hide what they would cost.
    """
    return ceil(bought / step) * groups_per_step


def hourly_groups(bought: Units, step: int, groups_per_step: int) -> tuple[int, int]:
    """Return the bounds of the elastic groups; a minimum above the maximum counts as both."""
    at_least = groups(bought.hourly_min, step, groups_per_step)
    return at_least, max(at_least, groups(bought.hourly_max, step, groups_per_step))


def replicas(bought: Units, step: int, groups_per_step: int, count: int) -> Replicas:
    """Return the engine instances of a role that has `count` of them in a group."""
    at_least, at_most = hourly_groups(bought, step, groups_per_step)
    return Replicas(
        reserved=groups(bought.reserved, step, groups_per_step) * count,
        hourly_min=at_least * count,
        hourly_max=at_most * count,
    )
