"""What a page shows for one question, in words and figures: nothing is left to its JavaScript but drawing."""

from dataclasses import dataclass

Row = tuple[str, ...]
Point = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A field that cannot be answered."""

    field: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table."""

    name: str
    numeric: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    """The last cell of a row that is short takes the rest of it."""
    current: int | None = None
    """The row that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierMark:
    """A tier in the latency plot."""

    name: str
    ttft_ms: float
    tpot_ms: float
    point: Point | None
    """Concurrency, TTFT and TPOT of the most that keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyPlot:
    """Latency of one group against the requests that it holds."""

    points: tuple[Point, ...]
    """Concurrency, TTFT and TPOT."""
    ttft_error: float
    """Expected, as a share."""
    tpot_error: float
    tiers: tuple[TierMark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stairs:
    """Cost of one template against load."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPlot:
    """Cost of all templates that keep the promise."""

    title: str
    asked: float
    highest: float
    series: tuple[Stairs, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The answer; empty but for its problems where something asked makes no sense."""

    problems: tuple[Problem, ...] = ()
    headline: str = ""
    detail: str = ""
    basis: str = ""
    command: str = ""
    numbers: tuple[Table, ...] = ()
    latency: LatencyPlot | None = None
    cost: CostPlot | None = None
    tables: tuple[Table, ...] = ()
