"""A plan, and what it changes, as the words and Markdown that a reviewer reads."""

from collections.abc import Sequence

from infra.plan.compare import Change, Fact, FactChange, Kind, PlanDiff
from infra.plan.model import Plan
from infra.plan.tables import Column, Table, money, money_span, span, tables, token_price

_GROUPS = ("units", "gpus", "machines", "cost")


def summary(plan: Plan) -> str:
    """Return the totals in one sentence."""
    totals, currency = plan.totals, plan.totals.cost.currency
    return (
        f"{totals.endpoints} {'endpoint' if totals.endpoints == 1 else 'endpoints'}: "
        f"{span(totals.units_min, totals.units_max)} units on "
        f"{span(totals.gpus_min, totals.gpus_max)} GPUs in "
        f"{span(totals.machines_min, totals.machines_max)} machines. Cost in {currency}: "
        f"{money(totals.cost.reserved_monthly)} a month and "
        f"{money_span(totals.cost.hourly_min, totals.cost.hourly_max)} an hour."
    )


def changes(diff: PlanDiff) -> Table:
    """Return a row for each thing that changes, totals last; of the columns those that say something."""
    rows = [
        *(_row(f"endpoint {change.name}", change) for change in diff.endpoints),
        *(_row(f"node pool {change.name}", change) for change in diff.node_pools),
    ]
    if diff.totals:
        totals = Change(name="total", kind="changed", facts=diff.totals, settings=())
        rows.append(_row("total", totals))
    headings = ("What", "Change", "Units", "GPUs", "Machines", "Cost", "Other")
    filled = [place for place in range(len(headings)) if any(row[place] for row in rows)]
    return Table(
        title="Changes",
        columns=tuple(Column(heading=headings[place]) for place in filled),
        rows=tuple(tuple(row[place] for place in filled) for row in rows),
    )


def markdown(plan: Plan, diff: PlanDiff | None = None, against: str | None = None) -> str:
    """Return the plan as the comment of a pull request: changes first, the whole folded below them."""
    whole = [f"**{table.title}**\n\n{markdown_table(table)}" for table in tables(plan)]
    parts = [f"### Plan of stack `{plan.stack}`", summary(plan)]
    if diff is None:
        parts += whole
    else:
        parts += (
            [f"Nothing changes against `{against}`."]
            if diff.empty
            else [f"Changes against `{against}`:", markdown_table(changes(diff))]
        )
        parts += ["<details><summary>The whole plan</summary>", *whole, "</details>"]
    return "\n\n".join(parts) + "\n"


def _row(what: str, change: Change) -> tuple[str, ...]:
    grouped = [[fact for fact in change.facts if _group(fact) == group] for group in _GROUPS]
    others = [fact for fact in change.facts if _group(fact) not in _GROUPS]
    other = [_cell(others, change.kind)] if others else []
    settings = [f"settings: {', '.join(change.settings)}"] if change.settings else []
    return (
        what,
        change.kind,
        *(_cell(facts, change.kind) for facts in grouped),
        "\n".join([*other, *settings]),
    )


def _group(change: FactChange) -> str:
    return change.fact.partition(".")[0]


def _cell(facts: Sequence[FactChange], kind: Kind) -> str:
    return "\n".join(_said(fact, kind) for fact in facts)


def _said(change: FactChange, kind: Kind) -> str:
    """Return one fact; what comes or goes as a whole needs no arrows from and to nothing."""
    word = change.fact.partition(".")[2] or change.fact
    before, after = _value(change.fact, change.before), _value(change.fact, change.after)
    told = {"added": after, "removed": before, "changed": f"{before} → {after}"}[kind]
    return f"{word.replace('_', ' ')} {told}"


def _value(fact: str, value: Fact) -> str:
    if isinstance(value, str) or not fact.startswith("cost."):
        return str(value)
    return token_price(value) if fact == "cost.per_million_tokens" else money(value)


def markdown_table(table: Table) -> str:
    """Return a table as Markdown."""
    lines = (
        tuple(column.heading for column in table.columns),
        tuple("---:" if column.numeric else "---" for column in table.columns),
        *table.rows,
    )
    return "\n".join(f"| {' | '.join(map(_markdown_cell, line))} |" for line in lines)


def _markdown_cell(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", "<br>")
