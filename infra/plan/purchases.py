"""When bought units count: from the day of purchase until the day on which they expire."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from infra.plan.model import Purchase
from infra.spec import endpoint as spec

EXPIRY_TIME = time(12)
RECLAIM_AFTER = timedelta(hours=24)
"""Ark's terms: a unit expires at noon of the day after its due day, and is reclaimed 24 hours later."""

_LAST_DAY = date(9999, 12, 1)
"""Python's calendar ends with this month; a purchase that outlives it never expires."""


def purchase(bought: spec.Purchase, as_of: date, zone: ZoneInfo) -> Purchase:
    """Return an order with the instants that bound its current term, and whether it counts on a day."""
    due = due_day(bought, as_of)
    expires_at = datetime.combine(due + timedelta(days=1), EXPIRY_TIME, zone)
    # In UTC, because 24 hours are not always a day where clocks change.
    reclaimed_at = (expires_at.astimezone(UTC) + RECLAIM_AFTER).astimezone(zone)
    return Purchase(
        id=bought.id,
        units=bought.units,
        start=bought.start,
        auto_renew=bought.auto_renew,
        expires_at=expires_at.isoformat(),
        reclaimed_at=reclaimed_at.isoformat(),
        counts=bought.start <= as_of <= due,
    )


def due_day(bought: spec.Purchase, as_of: date) -> date:
    """Return the last paid day of the term that holds on a day; renewal happens on that day itself.

    Why from the start each time: months are clamped to their last day, and a purchase of 31 January
    that is due on 28 February is due on 31 March next.
    """
    first = _after(bought.start, bought.months)
    if not bought.auto_renew or as_of < first:
        return first
    passed = relativedelta(as_of, bought.start)
    # Clamping can hold a term back by a day or three, so the count may be one short.
    terms = (passed.years * 12 + passed.months) // bought.months
    due = _after(bought.start, terms * bought.months)
    while due <= as_of and due < _LAST_DAY:
        terms += 1
        due = _after(bought.start, terms * bought.months)
    return due


def _after(start: date, months: int) -> date:
    last_month = _LAST_DAY.year * 12 + _LAST_DAY.month
    if start.year * 12 + start.month + months >= last_month:
        return _LAST_DAY
    return start + relativedelta(months=months)
