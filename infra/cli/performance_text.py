"""A template's file with its performance table, the last thing in it, made anew."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.capacity.serving import misfits
from infra.capacity.tables import Row, performance_rows
from infra.catalog.curves import load_curves
from infra.catalog.load import load_catalog
from infra.cli.market import Market
from infra.cli.offers import calibration_of, role_stacks
from infra.spec.files import Files
from infra.spec.template import Performance, Template

Values = Mapping[str, str | float]
"""The fields of a row, by name."""
Tables = Mapping[str, Mapping[str, Values]]
"""By model and tier."""

_TABLE = "\nperformance:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A template's table as it should be."""

    tables: Tables
    problems: tuple[str, ...]
    """Models that the table lists and the template cannot serve."""


def filled(template: Template, market: Market, project: Files) -> Filled:
    """Return the rows of every model that a template serves at its default tier.

    Rows that a person measured stay, unless measured runs of the project say it better.
    """
    roles = role_stacks(template, market)
    tables: dict[str, Mapping[str, Values]] = {}
    problems: list[str] = []
    for name, model in load_catalog().models.items():
        written = template.performance.get(name, {})
        kept = {tier: _written(row) for tier, row in written.items() if row.label == "measured"}
        reasons = misfits(model, roles)
        measured = None if reasons else calibration_of(project, template, model, roles)
        rows = performance_rows(model, load_curves(name), roles, template.default_tier, measured)
        made = {row.tier: _made(row) for row in rows}
        better = {tier: row for tier, row in made.items() if row["label"] == "calibrated"}
        table = made | kept | better
        if template.default_tier in table:
            tables[name] = table
        elif written:
            why = "; ".join(reasons) or f"too slow for {template.default_tier}"
            problems.append(f"{name}: {why}")
    unknown = sorted(set(template.performance) - set(load_catalog().models))
    problems += [f"{name}: is no model of the catalog" for name in unknown]
    return Filled(tables=tables, problems=tuple(problems))


def with_tables(text: str, tables: Tables) -> str:
    """Return a template's text with these tables in place of those it has."""
    start = text.index(_TABLE) + 1
    heading = text[start:].splitlines()[0].replace(" {}", "", 1)
    return text[:start] + "\n".join((heading, *_lines(tables))) + "\n"


def _lines(tables: Tables) -> Iterator[str]:
    for model, rows in tables.items():
        yield f"  {model}:"
        yield from (f"    {tier}: {_flow(values)}" for tier, values in rows.items())


def _made(row: Row) -> Values:
    return {
        "ttft_ms": row.ttft_ms,
        "tpot_ms": row.tpot_ms,
        "concurrency": row.concurrency,
        "tps": row.tps,
        # A tier's row is searched for, so it is no measured run itself.
        "label": "calibrated" if row.label == "measured" else row.label,
        "source": row.source,
    }


def _written(row: Performance) -> Values:
    return {
        "ttft_ms": row.ttft_ms,
        "tpot_ms": row.tpot_ms,
        "concurrency": row.concurrency,
        "tps": row.tps,
        "label": row.label,
        "source": row.source,
    }


def _flow(values: Values) -> str:
    cells = (
        f"{key}: {json.dumps(value, ensure_ascii=False) if key == 'source' else _plain(value)}"
        for key, value in values.items()
    )
    return f"{{{', '.join(cells)}}}"


def _plain(value: str | float) -> str:
    return f"{value:g}" if isinstance(value, float) and value < 1e6 else str(value)
