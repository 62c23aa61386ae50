"""Grafana's shape of a dashboard: rows of panels with queries. What they ask is decided elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from infra.render.manifest import Json, JsonObject

SCHEMA_VERSION = 39
"""Of Grafana 11; newer versions bring older dashboards up to date by themselves."""

COLUMNS = 24
PANELS_ABREAST = 3
PANEL_HEIGHT = 8

DATASOURCE: JsonObject = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question to Prometheus, and how its lines are called."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One graph."""

    title: str
    says: str
    """What it shows and what to make of it."""
    unit: str
    """Grafana's name of the unit: reqps, s, percentunit …"""
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Graphs that belong together."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A variable: the values that a viewer can choose from."""

    name: str
    values: tuple[str, ...]
    several: bool
    """Whether a viewer may choose several, or all: the first choice."""


def dashboard_json(*, uid: str, title: str, choices: Sequence[Choice], rows: Sequence[Row]) -> JsonObject:
    """Return a dashboard as Grafana reads it."""
    return {
        "uid": uid,
        "title": title,
        "tags": ["modelunits"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [_datasource(), *(_variable(choice) for choice in choices)]},
        "panels": list(_panels(rows)),
    }


def _datasource() -> JsonObject:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _variable(choice: Choice) -> JsonObject:
    every: JsonObject = {"text": "All", "value": "$__all"}
    options: list[JsonObject] = [
        {"text": value, "value": value, "selected": False} for value in choice.values
    ]
    return {
        "name": choice.name,
        "type": "custom",
        "query": ",".join(choice.values),
        "options": options,
        "current": every if choice.several else options[0],
        "includeAll": choice.several,
        "multi": choice.several,
        "allValue": ".*" if choice.several else None,
    }


def _panels(rows: Sequence[Row]) -> Iterator[JsonObject]:
    width = COLUMNS // PANELS_ABREAST
    identifier = y = 0
    for row in rows:
        identifier += 1
        place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        yield {"id": identifier, "type": "row", "title": row.title, "collapsed": False, "gridPos": place}
        y += 1
        for number, panel in enumerate(row.panels):
            identifier += 1
            below, beside = divmod(number, PANELS_ABREAST)
            yield _panel(
                panel, identifier, x=beside * width, y=y + below * PANEL_HEIGHT, w=width, h=PANEL_HEIGHT
            )
        y += -(-len(row.panels) // PANELS_ABREAST) * PANEL_HEIGHT


def _panel(panel: Panel, identifier: int, **place: int) -> JsonObject:
    targets: list[Json] = [
        {
            "refId": letter,
            "datasource": DATASOURCE,
            "expr": query.expression,
            "legendFormat": query.legend,
            "range": True,
        }
        for letter, query in zip(ascii_uppercase, panel.queries, strict=False)
    ]
    return {
        "id": identifier,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": DATASOURCE,
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }
