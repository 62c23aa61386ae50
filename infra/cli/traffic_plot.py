"""Draws the units that a log needs over its time, as text."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from infra.capacity.commitment import MinuteNeed

_WIDTH = 100
_ROWS = 12
_TWO_DAYS = 2 * 1440


def plot(
    series: Sequence[MinuteNeed], *, begin: datetime | None, reserved_units: int | None, ceiling_units: int
) -> str:
    """Return lines of 100 columns: units needed, the reserved floor and the ceiling with hourly units.

    Of a TrafficSize: its `series`, its commitment's `reserved_units` (None where no price is known) and its
    `peak_units` as the ceiling; `begin` is its Traffic's. A column shows the neediest of its minutes;
    missing data takes none.
    """
    import plotext  # type: ignore[import-untyped]  # noqa: PLC0415 - a seventh of a second, and only for logs

    columns = _WIDTH - len(str(ceiling_units)) - len("││")
    slices = [_slice(series, column, columns) for column in range(columns)]
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.plot_size(_WIDTH, _ROWS + 3)
    needs = {place: max(need.units for need in minutes) for place, minutes in enumerate(slices)}
    busy = {place: units for place, units in needs.items() if units}
    plotext.scatter(list(busy), list(busy.values()), fillx=True, marker="█")
    edges = [0, columns - 1]
    if reserved_units:
        plotext.plot(edges, [reserved_units] * 2, marker="─")
    plotext.plot(edges, [ceiling_units] * 2, marker="┄")
    plotext.yticks(sorted({0, reserved_units or 0, ceiling_units}))
    plotext.xlim(*edges)
    plotext.ylim(0, ceiling_units)
    span = series[-1].minute - series[0].minute
    marked = [min(quarter * len(series) // 4, len(series) - 1) for quarter in range(5)]
    plotext.xticks(
        [at * columns // len(series) for at in marked],
        [_time(series[at].minute, begin, span) for at in marked],
    )
    drawn = plotext.uncolorize(plotext.build())
    floor = "" if reserved_units is None else f"  ─ reserved {reserved_units}"
    hourly = "" if reserved_units is None else f" (hourly up to {ceiling_units - reserved_units})"
    key = f"█ units needed{floor}  ┄ at most {ceiling_units}{hourly}"
    lines = (f"{key}\n{drawn}").splitlines()
    return "\n".join(line.rstrip() for line in lines)


def _slice(series: Sequence[MinuteNeed], column: int, columns: int) -> Sequence[MinuteNeed]:
    """Return the minutes of a column, at least one; short logs repeat theirs."""
    begin = column * len(series) // columns
    return series[begin : max(begin + 1, (column + 1) * len(series) // columns)]


def _time(minute: int, begin: datetime | None, span: int) -> str:
    """Say when a minute was: UTC, or time since the log's zero."""
    if begin is None:
        return f"{minute // 60}:{minute % 60:02}"
    return f"{begin + timedelta(minutes=minute):{'%H:%M' if span < _TWO_DAYS else '%b %d'}}"
