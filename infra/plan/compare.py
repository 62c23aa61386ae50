"""What differs between two plans: endpoints, node pools and totals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from infra.plan.document import Json, endpoint_properties
from infra.plan.model import Cost, EndpointPlan, NodePoolPlan, Plan

Fact = int | float | str | None
Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactChange:
    """One fact, as it was and as it will be; None where it has no value on that side."""

    fact: str
    before: Fact
    after: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one endpoint or node pool."""

    name: str
    kind: Kind
    facts: tuple[FactChange, ...]
    """The facts that differ; for what is added or removed, all of them."""
    settings: tuple[str, ...]
    """Other properties that differ, by name: they change how an endpoint runs, not how much of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDiff:
    """What happens when one plan takes the place of another."""

    endpoints: tuple[Change, ...]
    node_pools: tuple[Change, ...]
    totals: tuple[FactChange, ...]

    @property
    def empty(self) -> bool:
        """Say whether nothing differs."""
        return not (self.endpoints or self.node_pools or self.totals)


def compare(before: Plan | None, after: Plan) -> PlanDiff:
    """Return what differs, in the order of names; everything is added where there was no plan before."""
    endpoints, pools = (before.endpoints, before.node_pools) if before else ((), ())
    return PlanDiff(
        endpoints=tuple(
            _changes(
                {each.name: _endpoint_facts(each) for each in endpoints},
                {each.name: _endpoint_facts(each) for each in after.endpoints},
                {each.name: _settings(each) for each in endpoints},
                {each.name: _settings(each) for each in after.endpoints},
            )
        ),
        node_pools=tuple(
            _changes(
                {each.name: _pool_facts(each) for each in pools},
                {each.name: _pool_facts(each) for each in after.node_pools},
            )
        ),
        totals=_fact_changes(_total_facts(before), _total_facts(after)),
    )


def diff_document(diff: PlanDiff) -> dict[str, Json]:
    """Return what differs as plain data, for `modelunits plan --against --format json`."""
    return {
        "endpoints": [_change_document(change) for change in diff.endpoints],
        "node_pools": [_change_document(change) for change in diff.node_pools],
        "totals": [_fact_document(change) for change in diff.totals],
    }


def _change_document(change: Change) -> Json:
    facts: list[Json] = [_fact_document(fact) for fact in change.facts]
    return {"name": change.name, "kind": change.kind, "facts": facts, "settings": list(change.settings)}


def _fact_document(change: FactChange) -> Json:
    return {"fact": change.fact, "before": change.before, "after": change.after}


def _changes(
    before: Mapping[str, Mapping[str, Fact]],
    after: Mapping[str, Mapping[str, Fact]],
    settings_before: Mapping[str, Mapping[str, Json]] = MappingProxyType({}),
    settings_after: Mapping[str, Mapping[str, Json]] = MappingProxyType({}),
) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        facts = _fact_changes(before.get(name, {}), after.get(name, {}))
        if name not in before:
            yield Change(name=name, kind="added", facts=facts, settings=())
        elif name not in after:
            yield Change(name=name, kind="removed", facts=facts, settings=())
        else:
            was, will_be = settings_before.get(name, {}), settings_after.get(name, {})
            settings = tuple(key for key in will_be if was[key] != will_be[key])
            if facts or settings:
                yield Change(name=name, kind="changed", facts=facts, settings=settings)


def _fact_changes(before: Mapping[str, Fact], after: Mapping[str, Fact]) -> tuple[FactChange, ...]:
    return tuple(
        FactChange(fact=fact, before=before.get(fact), after=after.get(fact))
        for fact in {**before, **after}
        if before.get(fact) != after.get(fact)
    )


def _endpoint_facts(endpoint: EndpointPlan) -> Mapping[str, Fact]:
    return {
        "team": endpoint.team,
        "model": endpoint.model,
        "template": endpoint.template,
        "tier": endpoint.tier.name,
        "units.reserved": endpoint.units.reserved,
        "units.min": endpoint.units.min,
        "units.max": endpoint.units.max,
        "gpus.min": endpoint.gpus_min,
        "gpus.max": endpoint.gpus_max,
        **_cost_facts(endpoint.cost),
        "cost.per_million_tokens": endpoint.cost.per_million_tokens,
    }


_SHOWN_AS_FACTS = (
    *("id", "file", "url", "namespace", "team", "model", "template", "tier"),
    *("units", "gpus", "cost", "roles", "scaling", "engine_args"),
)
"""Properties that the facts or the engines' arguments already show."""


def _settings(endpoint: EndpointPlan) -> Mapping[str, Json]:
    """Return the properties that the facts do not show, with the engine's arguments by role."""
    properties = endpoint_properties(endpoint)
    return {
        **{name: value for name, value in properties.items() if name not in _SHOWN_AS_FACTS},
        "args": [list(role.args) for role in endpoint.roles],
    }


def _pool_facts(pool: NodePoolPlan) -> Mapping[str, Fact]:
    return {
        "machines.min": pool.machines_min,
        "machines.max": pool.machines_max,
        "gpus.max": pool.gpus_max,
        "instance_types": ", ".join(pool.instance_types),
    }


def _total_facts(plan: Plan | None) -> Mapping[str, Fact]:
    if plan is None:
        return {}
    totals = plan.totals
    return {
        "endpoints": totals.endpoints,
        "units.min": totals.units_min,
        "units.max": totals.units_max,
        "gpus.min": totals.gpus_min,
        "gpus.max": totals.gpus_max,
        "machines.min": totals.machines_min,
        "machines.max": totals.machines_max,
        "currency": totals.cost.currency,
        **_cost_facts(totals.cost),
    }


def _cost_facts(cost: Cost) -> Mapping[str, Fact]:
    return {
        "cost.reserved_monthly": cost.reserved_monthly,
        "cost.hourly_min": cost.hourly_min,
        "cost.hourly_max": cost.hourly_max,
    }
