"""The plot of a log shows its units over time, and what is bought for them."""

from datetime import UTC, datetime

from infra.capacity.commitment import MinuteNeed
from infra.cli.traffic_plot import plot


def series(units: list[int]) -> tuple[MinuteNeed, ...]:
    """Return the needs of minutes that follow each other."""
    return tuple(
        MinuteNeed(minute=minute, requests_per_second=1.0, units=each) for minute, each in enumerate(units)
    )


DAY = series([2] * 600 + [8] + [4] * 839)
"""A day whose one busy minute is narrower than a column."""


def test_a_day_is_drawn_with_floor_and_ceiling() -> None:
    """Times are the clock's, units those that are bought, and no line is wider than 100 columns."""
    drawn = plot(
        DAY, begin=datetime(2026, 11, 20, tzinfo=UTC), reserved_units=4, ceiling_units=8
    ).splitlines()

    assert "█ units needed  ─ reserved 4  ┄ at most 8 (hourly up to 4)" == drawn[0]
    assert ["00:00", "06:00", "12:00", "18:00", "23:59"] == drawn[-1].split()
    assert drawn[2].startswith("8")
    assert any(line.startswith("4") and "─" * 20 in line for line in drawn)
    assert max(map(len, drawn)) <= 100
    assert all("\x1b" not in line for line in drawn)


def test_a_peak_of_one_minute_is_seen() -> None:
    """A column shows the neediest of its minutes."""
    drawn = plot(DAY, begin=None, reserved_units=None, ceiling_units=8).splitlines()

    assert 1 == drawn[3].count("█")
    assert drawn[-2].count("┬") > 1


def test_without_prices_there_is_no_floor() -> None:
    """Then the ceiling is the peak."""
    drawn = plot(DAY, begin=None, reserved_units=None, ceiling_units=8)

    assert "█ units needed  ┄ at most 8\n" in drawn
    assert "0:00" in drawn
    assert "23:" in drawn


def test_long_logs_name_days() -> None:
    """From two days on, the time of day says nothing."""
    drawn = plot(
        series([2] * 4 * 1440), begin=datetime(2026, 11, 20, tzinfo=UTC), reserved_units=0, ceiling_units=2
    )

    assert "Nov 20" in drawn
    assert "Nov 23" in drawn


def test_a_log_of_one_minute_is_drawn() -> None:
    """Short logs fill the width."""
    assert plot(series([2]), begin=None, reserved_units=2, ceiling_units=2).count("\n") > 5
