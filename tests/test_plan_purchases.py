"""When bought units count: Ark's own example, and the calendar's odd days."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from infra.plan.purchases import purchase
from infra.spec.endpoint import Purchase

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def bought(start: str, months: int, *, auto_renew: bool = False) -> Purchase:
    """Return an order of four units."""
    return Purchase(id="po-1", units=4, start=date.fromisoformat(start), months=months, auto_renew=auto_renew)


def test_arks_example() -> None:
    """A month bought on 13 April expires on 14 May at noon, and is reclaimed on 15 May at noon."""
    planned = purchase(bought("2026-04-13", 1), date(2026, 4, 20), SHANGHAI)

    assert planned.expires_at == "2026-05-14T12:00:00+08:00"
    assert planned.reclaimed_at == "2026-05-15T12:00:00+08:00"


@pytest.mark.parametrize(
    ("as_of", "counts"),
    [("2026-04-12", False), ("2026-04-13", True), ("2026-05-13", True), ("2026-05-14", False)],
)
def test_days_that_count(as_of: str, counts: bool) -> None:
    """Units count from the day of purchase to the due day, and not on the day on which they expire."""
    planned = purchase(bought("2026-04-13", 1), date.fromisoformat(as_of), SHANGHAI)

    assert counts == planned.counts


@pytest.mark.parametrize(
    ("start", "months", "expires"),
    [("2026-01-31", 1, "2026-03-01"), ("2024-01-31", 1, "2024-03-01"), ("2024-02-29", 12, "2025-03-01")],
)
def test_due_day_is_clamped_to_the_end_of_its_month(start: str, months: int, expires: str) -> None:
    """A month that lacks the day of purchase is due on its last day."""
    planned = purchase(bought(start, months), date.fromisoformat(start), SHANGHAI)

    assert f"{expires}T12:00:00+08:00" == planned.expires_at


@pytest.mark.parametrize(
    ("as_of", "expires"),
    [
        ("2026-02-27", "2026-03-01"),
        ("2026-02-28", "2026-04-01"),
        ("2026-03-30", "2026-04-01"),
        ("2026-03-31", "2026-05-01"),
        ("2036-04-29", "2036-05-01"),
    ],
)
def test_renewal_keeps_the_day_of_purchase(as_of: str, expires: str) -> None:
    """Renewed on each due day, the units stay, and are due on the 31st wherever there is one."""
    planned = purchase(bought("2026-01-31", 1, auto_renew=True), date.fromisoformat(as_of), SHANGHAI)

    assert planned.counts
    assert f"{expires}T12:00:00+08:00" == planned.expires_at


def test_renewal_does_not_begin_early() -> None:
    """An order that renews itself counts from its start, not before."""
    planned = purchase(bought("2026-05-01", 3, auto_renew=True), date(2026, 4, 30), SHANGHAI)

    assert not planned.counts
    assert planned.expires_at == "2026-08-02T12:00:00+08:00"


def test_reclaim_where_clocks_change() -> None:
    """Reclaim is 24 hours after the expiry, which is not noon where clocks change in between."""
    planned = purchase(bought("2026-09-23", 1), date(2026, 10, 1), BERLIN)

    assert planned.expires_at == "2026-10-24T12:00:00+02:00"
    assert planned.reclaimed_at == "2026-10-25T11:00:00+01:00"


@pytest.mark.parametrize("auto_renew", [False, True])
def test_end_of_the_calendar(auto_renew: bool) -> None:
    """An order that outlives Python's calendar never expires before its end."""
    planned = purchase(bought("9999-11-30", 120, auto_renew=auto_renew), date(9999, 12, 31), SHANGHAI)

    assert planned.expires_at == "9999-12-02T12:00:00+08:00"
