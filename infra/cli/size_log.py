"""What `modelunits size --traffic` says of a log: sentences, tables, a plot, JSON."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from infra.capacity.traffic import Minute, Spread, Traffic
from infra.cli.size_numbers import count
from infra.cli.size_print import LogWords
from infra.cli.size_traffic import LogAnswer
from infra.cli.traffic_plot import plot
from infra.plan.tables import Column, Table

_HOUR_MINUTES = 60


def log_words(found: LogAnswer, currency: str) -> LogWords:
    """Return everything that is said of a log."""
    return LogWords(
        cheapest=tuple(_cheapest(found, currency)),
        sentences=tuple(_sentences(found)),
        plot=_plot(found),
        tables=tuple(_tables(found, currency)),
        notes=tuple(_notes(found)),
        document=_document(found),
    )


def _cheapest(found: LogAnswer, currency: str) -> Iterator[str]:
    if bought := found.size.commitment:
        hourly = f"let up to {bought.hourly_max_units:,} come" if bought.hourly_max_units else "let none come"
        yield (
            f"In the neediest minute. Cheapest: reserve {count(bought.reserved_units, 'unit')}, and {hourly} "
            f"by the hour: {bought.monthly_cost:,.0f} {currency} a month."
        )


def _sentences(found: LogAnswer) -> Iterator[str]:
    """Yield what the log shows, and every line of it that was not used as it was."""
    traffic = found.traffic
    yield (
        f"{traffic.requests:,} requests in {traffic.span_s / 3600:,.1f} hours: "
        f"{traffic.requests_per_second:.2f} a second, {traffic.peak.requests_per_second:.2f} in the busiest "
        f"minute, {_when(traffic, traffic.peak)}; most tokens, {traffic.peak_tps.total_tps:,.0f} a second, "
        f"{_when(traffic, traffic.peak_tps)}"
    )
    yield from found.log.remarks


def _tables(found: LogAnswer, currency: str) -> Iterator[Table]:
    """Yield the lengths of requests, and what can be bought for them."""
    traffic, bought = found.traffic, found.size.commitment
    spreads = {"input": traffic.input_tokens, "output": traffic.output_tokens}
    yield Table(
        title="Tokens of a request in the log",
        columns=_columns("", "mean", "p50", "p90", "p95", "p99", "max"),
        rows=tuple((name, *_spread(spread)) for name, spread in spreads.items()),
    )
    if bought is None:
        return
    yield Table(
        title=f"What to buy, {currency} a month",
        columns=_columns("Units", "Reserved", "By the hour", "A month"),
        rows=(
            (
                f"reserved {bought.reserved_units}, hourly up to {bought.hourly_max_units}: costs least",
                f"{bought.reserved_cost:,.0f}",
                f"{bought.hourly_cost:,.0f}",
                f"{bought.monthly_cost:,.0f}",
            ),
            ("all reserved", f"{bought.all_reserved_cost:,.0f}", "", f"{bought.all_reserved_cost:,.0f}"),
            ("all by the hour", "", f"{bought.all_hourly_cost:,.0f}", f"{bought.all_hourly_cost:,.0f}"),
        ),
    )


def _plot(found: LogAnswer) -> str:
    """Return the units over the log's time, drawn."""
    bought = found.size.commitment
    return plot(
        found.size.series,
        begin=found.traffic.begin,
        reserved_units=bought.reserved_units if bought else None,
        ceiling_units=found.size.peak_units,
    )


def _notes(found: LogAnswer) -> Iterator[str]:
    """Yield what the log cannot show, and why nothing is said about what to reserve."""
    bought = found.size.commitment
    if bought is None:
        yield "What to reserve takes a monthly and an hourly price; --stack takes a stack's."
    else:
        yield f"A step is cheaper reserved if up for more than {bought.break_even_share:.0%} of the time."
    if found.too_long:
        yield f"The longest input and the longest output of the log do not go together; {found.too_long}"
    yield from found.size.limits


def _document(found: LogAnswer) -> Mapping[str, object]:
    """Return what a log shows and needs, as JSON."""
    traffic, size, bought = found.traffic, found.size, found.size.commitment
    hours: dict[int, int] = {}
    for need in size.series:
        hour = need.minute // _HOUR_MINUTES
        hours[hour] = max(hours.get(hour, 0), need.units)
    return {
        "requests": traffic.requests,
        "begin": traffic.begin.isoformat() if traffic.begin else None,
        "span_s": round(traffic.span_s, 3),
        "requests_per_second": round(traffic.requests_per_second, 4),
        "cache_hit": traffic.cache_hit,
        "input_tokens": _spread_document(traffic.input_tokens),
        "output_tokens": _spread_document(traffic.output_tokens),
        "busiest_minute": {
            "minute": traffic.peak.minute,
            "requests_per_second": round(traffic.peak.requests_per_second, 4),
        },
        "minute_of_most_tokens": {
            "minute": traffic.peak_tps.minute,
            "total_tps": round(traffic.peak_tps.total_tps, 2),
        },
        "peak_units": size.peak_units,
        "mean_units": round(size.mean_units, 2),
        "most_units_by_hour": [{"hour": hour, "units": units} for hour, units in hours.items()],
        "commitment": {
            "reserved_units": bought.reserved_units,
            "hourly_max_units": bought.hourly_max_units,
            "break_even_share": round(bought.break_even_share, 4),
            "monthly_cost": round(bought.monthly_cost, 2),
            "reserved_cost": round(bought.reserved_cost, 2),
            "hourly_cost": round(bought.hourly_cost, 2),
            "all_reserved_cost": round(bought.all_reserved_cost, 2),
            "all_hourly_cost": round(bought.all_hourly_cost, 2),
        }
        if bought
        else None,
        "remarks": list(found.log.remarks),
        "limits": list(size.limits),
    }


def _spread(spread: Spread) -> tuple[str, ...]:
    counts = (spread.p50, spread.p90, spread.p95, spread.p99, spread.max)
    return f"{spread.mean:,.0f}", *(f"{count:,}" for count in counts)


def _spread_document(spread: Spread) -> Mapping[str, float]:
    return {
        "mean": round(spread.mean, 2),
        "p50": spread.p50,
        "p90": spread.p90,
        "p95": spread.p95,
        "p99": spread.p99,
        "max": spread.max,
    }


def _columns(word: str, *numbers: str) -> tuple[Column, ...]:
    return Column(heading=word), *(Column(heading=number, numeric=True) for number in numbers)


def _when(traffic: Traffic, minute: Minute) -> str:
    if traffic.begin is None:
        return f"{minute.minute // 60}:{minute.minute % 60:02} after the log's zero"
    return f"{traffic.begin + timedelta(minutes=minute.minute):%Y-%m-%d %H:%M} UTC"
