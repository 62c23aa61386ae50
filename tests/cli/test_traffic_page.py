"""What the page about sizing from a log shows is what comes out."""

from datetime import UTC, datetime, timedelta
from math import pi, sin
from pathlib import Path

from infra.capacity.commitment import StepPrice, size_traffic
from infra.capacity.traffic import Spread, describe
from infra.cli.traffic_log import read_traffic
from infra.cli.traffic_plot import plot

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "size-from-a-log.md"
NOON = 1.0
NIGHT = 0.1
"""Requests a second."""


def write_day(file: Path) -> None:
    """Write the page's log: a working day, silent from 3:00 to 3:25, with two lines that are broken."""
    begin = datetime(2026, 11, 20, tzinfo=UTC)
    lines = ["timestamp,prompt_tokens,completion_tokens"]
    for minute in range(1440):
        hour = minute / 60
        rate = NIGHT + (NOON - NIGHT) * max(0.0, sin(pi * (hour - 7) / 13)) if 7 <= hour < 20 else NIGHT
        count = 0 if 180 <= minute < 205 else round(60 * rate)
        for number in range(count):
            moment = begin + timedelta(minutes=minute, seconds=60 * number / count)
            tokens_in = 200 + len(lines) * 7919 % 97 ** (1 + len(lines) % 2)
            lines.append(f"{moment:%Y-%m-%d %H:%M:%S},{tokens_in},{50 + len(lines) * 104729 % 601}")
    lines[100] = lines[100].replace(",", ",-", 1)
    lines[2000] = lines[2000][:-5]
    file.write_text("\n".join(lines) + "\n")


def row(name: str, spread: Spread) -> str:
    """Return a row of the page's table."""
    percentiles = (spread.p50, spread.p90, spread.p95, spread.p99, spread.max)
    return f"| {name} | {spread.mean:,.0f} | {' | '.join(f'{count:,}' for count in percentiles)} |"


def test_the_page_shows_what_comes_out(tmp_path: Path) -> None:
    """Remarks, percentiles, the plot and the costs of its example are those of the functions."""
    file = tmp_path / "requests.csv"
    write_day(file)
    log = read_traffic(file)
    traffic = describe(log.requests)
    size = size_traffic(
        traffic, step_rps=0.2, step_units=2, headroom=1.2, price=StepPrice(monthly=6000, hourly=17)
    )
    bought = size.commitment
    assert bought is not None
    drawn = plot(
        size.series, begin=traffic.begin, reserved_units=bought.reserved_units, ceiling_units=size.peak_units
    )
    peak = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=traffic.peak.minute)
    page = PAGE.read_text(encoding="utf-8")
    shown = (
        *log.remarks,
        *size.limits,
        row("input", traffic.input_tokens),
        row("output", traffic.output_tokens),
        f"{traffic.requests:,} requests in {traffic.span_s / 3600:.1f} hours: "
        f"{traffic.requests_per_second:.2f} a second, {traffic.peak.requests_per_second:.2f} in the busiest "
        f"minute, {peak:%H:%M}.",
        drawn,
        f"| reserved {bought.reserved_units}, hourly up to {bought.hourly_max_units} "
        f"| {bought.reserved_cost:,.0f} + {bought.hourly_cost:,.0f} = {bought.monthly_cost:,.0f} |",
        f"| all reserved | {bought.all_reserved_cost:,.0f} |",
        f"| all hourly | {bought.all_hourly_cost:,.0f} |",
        f"more than {bought.break_even_share:.0%} of the time",
    )

    missing = [text for text in shown if text not in page]
    assert not missing, "\n\n".join(missing)
