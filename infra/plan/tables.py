"""What will exist, as tables of text that a reviewer reads."""

from dataclasses import dataclass

from infra.plan.model import EndpointPlan, Plan, Purchase

UNKNOWN = "unknown"
"""For what has no price."""

MEDIA_UNJUDGED = ("images that its model reads: judges read text", "not asked for")
"""Why something of a moderated endpoint is not moderated, and who confirmed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A heading, and whether numbers stand below it."""

    heading: str
    numeric: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells of text under headings."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(plan: Plan) -> tuple[Table, ...]:
    """Return what will exist; tables without rows are left out."""
    found = (
        _endpoints(plan),
        _performance(plan),
        _units_and_cost(plan),
        _roles(plan),
        _purchases(plan),
        _unmoderated(plan),
        _pools(plan),
        _quotas(plan),
    )
    return tuple(table for table in found if table.rows)


def _words(*headings: str) -> tuple[Column, ...]:
    return tuple(Column(heading=heading) for heading in headings)


def _numbers(*headings: str) -> tuple[Column, ...]:
    return tuple(Column(heading=heading, numeric=True) for heading in headings)


def span(at_least: int, at_most: int) -> str:
    """Return a range in words, or the one number that it is."""
    return f"{at_least}" if at_least == at_most else f"{at_least} to {at_most}"


def money(amount: float | None) -> str:
    """Return an amount of the plan's currency."""
    return UNKNOWN if amount is None else f"{amount:,.2f}"


def token_price(amount: float | None) -> str:
    """Return the price of a million tokens, which is told in tenths of a cent."""
    return UNKNOWN if amount is None else f"{amount:,.3f}"


def money_span(at_least: float | None, at_most: float | None) -> str:
    """Return a range of amounts."""
    least, most = money(at_least), money(at_most)
    return least if least == most else f"{least} to {most}"


def _endpoints(plan: Plan) -> Table:
    return Table(
        title="Endpoints",
        columns=(*_words("Endpoint", "Id", "Team", "Model", "Template"), *_numbers("Step")),
        rows=tuple(
            (
                endpoint.name,
                endpoint.id,
                endpoint.team,
                endpoint.model,
                endpoint.template,
                str(endpoint.step),
            )
            for endpoint in plan.endpoints
        ),
    )


def _performance(plan: Plan) -> Table:
    return Table(
        title="Performance",
        columns=(
            *_words("Endpoint", "Tier"),
            *_numbers("TTFT ms", "TPOT ms", "TPS of a step", "TPS in all"),
            *_words("Figures"),
        ),
        rows=tuple(
            (
                endpoint.name,
                endpoint.tier.name,
                f"{endpoint.tier.ttft_ms:g}",
                f"{endpoint.tier.tpot_ms:g}",
                f"{round(endpoint.tier.tps_per_step)}",
                _tps(endpoint),
                endpoint.tier.label,
            )
            for endpoint in plan.endpoints
        ),
    )


def _units_and_cost(plan: Plan) -> Table:
    return Table(
        title=f"Units and cost, {plan.totals.cost.currency}",
        columns=(
            *_words("Endpoint"),
            *_numbers("Reserved", "Hourly", "GPUs", "Per month", "Per hour", "Per million tokens"),
        ),
        rows=tuple(
            (
                endpoint.name,
                str(endpoint.units.reserved),
                span(endpoint.units.hourly_min, endpoint.units.hourly_max),
                span(endpoint.gpus_min, endpoint.gpus_max),
                money(endpoint.cost.reserved_monthly),
                money_span(endpoint.cost.hourly_min, endpoint.cost.hourly_max),
                token_price(endpoint.cost.per_million_tokens),
            )
            for endpoint in plan.endpoints
        ),
    )


def _tps(endpoint: EndpointPlan) -> str:
    """Return what all units do at the tier, at least and at most."""
    scaling = endpoint.scaling
    of_one_group = endpoint.tier.tps_per_step / endpoint.groups_per_step
    at_least = of_one_group * (scaling.reserved_groups + scaling.min_groups)
    at_most = of_one_group * (scaling.reserved_groups + scaling.max_groups)
    return span(round(at_least), round(at_most))


def _roles(plan: Plan) -> Table:
    return Table(
        title="Roles",
        columns=(
            *_words("Endpoint", "Role", "Machine"),
            *_numbers("GPUs", "Reserved", "Hourly", "Needs GiB", "Has GiB"),
        ),
        rows=tuple(
            (
                endpoint.name,
                role.name,
                role.machine,
                str(role.gpus),
                str(role.replicas.reserved),
                span(role.replicas.hourly_min, role.replicas.hourly_max),
                f"{role.memory.needed_gib:.1f}",
                f"{role.memory.available_gib:.1f}",
            )
            for endpoint in plan.endpoints
            for role in endpoint.roles
        ),
    )


def _purchases(plan: Plan) -> Table:
    return Table(
        title="Purchases",
        columns=(
            *_words("Endpoint", "Order"),
            *_numbers("Units"),
            *_words("From", "Expires", "State"),
        ),
        rows=tuple(
            (
                endpoint.name,
                purchase.id,
                str(purchase.units),
                purchase.start.isoformat(),
                purchase.expires_at,
                _state(purchase),
            )
            for endpoint in plan.endpoints
            for purchase in endpoint.purchases
        ),
    )


def _unmoderated(plan: Plan) -> Table:
    return Table(
        title="Not moderated",
        columns=_words("Endpoint", "Reason", "Confirmed by"),
        rows=tuple(
            (endpoint.name, *MEDIA_UNJUDGED)
            if (how := endpoint.moderation).enabled
            else (endpoint.name, how.reason or UNKNOWN, how.confirmed_by or UNKNOWN)
            for endpoint in plan.endpoints
            if not endpoint.moderation.enabled or (endpoint.moderation.judges and endpoint.moderation.media)
        ),
    )


def _state(purchase: Purchase) -> str:
    if not purchase.counts:
        return "does not count"
    return "counts, renews itself" if purchase.auto_renew else "counts"


def _pools(plan: Plan) -> Table:
    limits = {use.machine: use for use in plan.machines}
    return Table(
        title="Node pools",
        columns=(
            *_words("Pool", "Machine", "Billing"),
            *_numbers("Machines", "GPUs at peak", "Allowed"),
        ),
        rows=tuple(
            (
                pool.name,
                pool.machine,
                pool.billing,
                span(pool.machines_min, pool.machines_max),
                str(pool.gpus_max),
                f"{limits[pool.machine].reserved} reserved"
                if pool.billing == "reserved"
                else f"{limits[pool.machine].max} in all",
            )
            for pool in plan.node_pools
        ),
    )


def _quotas(plan: Plan) -> Table:
    return Table(
        title="Quotas",
        columns=(*_words("Team", "Machine"), *_numbers("Units at peak", "Quota")),
        rows=tuple((use.team, use.machine, str(use.used), str(use.limit)) for use in plan.quotas if use.used),
    )
