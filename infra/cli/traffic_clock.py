"""How a log counts time: ISO 8601 or numbers, from 1970 or from a zero of its own, in which unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from infra.cli.traffic_columns import Columns
from infra.cli.traffic_faults import TrafficFaultError

_EARLIEST_S = 1e9
"""September 2001: smaller numbers count from a zero of the log's own."""

_LATEST_S = 4102444800.0
"""The year 2100."""

_UNITS = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}


@dataclass(slots=True, kw_only=True)
class Clock:
    """Turns the times of a log into seconds, and remembers whether any did not say its zone."""

    iso: bool
    seconds: float = 1.0
    """What one unit of a number is."""
    absolute: bool
    """Whether second 0 is 1970 in UTC; otherwise it is a zero of the log's own."""
    assumed_unit: str | None = None
    """A sentence, where the log does not say how its numbers count."""
    assumed_utc: bool = False

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Return what was taken for granted in the times read so far."""
        zone = "Times without a zone are taken for UTC." if self.assumed_utc else None
        return tuple(said for said in (self.assumed_unit, zone) if said)

    def read(self, raw: str | float) -> float:
        """Return the second; a TrafficFaultError where there is none."""
        second = self._iso(raw) if self.iso else self._number(raw)
        if self.absolute:
            if not _EARLIEST_S <= second < _LATEST_S:
                raise TrafficFaultError("the time is not within 2001 to 2099", raw)
        elif not 0 <= second < _EARLIEST_S:
            raise TrafficFaultError("the time is negative or beyond 30 years", raw)
        return second

    def _iso(self, raw: str | float) -> float:
        try:
            moment = datetime.fromisoformat(str(raw).strip())
            if moment.tzinfo is None:
                self.assumed_utc = True
                moment = moment.replace(tzinfo=UTC)
            return moment.timestamp()
        except (ValueError, OverflowError):
            raise TrafficFaultError("the time is not ISO 8601, as others are", raw) from None

    def _number(self, raw: str | float) -> float:
        try:
            return float(raw) * self.seconds
        except (ValueError, OverflowError):
            raise TrafficFaultError("the time is no number, as others are", raw) from None


def clock_of(sample: Sequence[str | float], columns: Columns) -> Clock | None:
    """Return the clock that most of a log's first times tell; None where most are no times.

    Numbers from 2001 to 2099 in one of the units count from 1970: the ranges are a thousand times apart.
    Others count from a zero of the log's own, in the unit that the header says, and else in seconds, which
    is an assumption and said as one.
    """
    numbers = [number for number in map(_as_number, sample) if number is not None]
    iso = sum(map(_is_iso, sample))
    if not numbers and not iso:
        return None
    if iso > len(numbers):
        return Clock(iso=True, absolute=True)
    typical = median(numbers)
    if columns.seconds is not None:
        absolute = _EARLIEST_S <= typical * columns.seconds < _LATEST_S
        return Clock(iso=False, seconds=columns.seconds, absolute=absolute)
    for unit, seconds in _UNITS.items():
        if _EARLIEST_S <= typical * seconds < _LATEST_S:
            said = f"The numbers in {columns.time} are taken for {unit} since 1970."
            return Clock(iso=False, seconds=seconds, absolute=True, assumed_unit=said)
    said = (
        f"The numbers in {columns.time} do not say their unit and are taken for seconds; "
        f"a column named {columns.time}_ms is read as milliseconds."
    )
    return Clock(iso=False, absolute=False, assumed_unit=said)


def _as_number(raw: str | float) -> float | None:
    try:
        return float(raw)
    except (ValueError, OverflowError):
        return None


def _is_iso(raw: str | float) -> bool:
    """Say whether it can be a date only: 20231116 can be a number just as well."""
    if _as_number(raw) is not None:
        return False
    try:
        datetime.fromisoformat(str(raw).strip())
    except ValueError:
        return False
    return True
