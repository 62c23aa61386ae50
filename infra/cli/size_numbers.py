"""Numbers of an answer as text: with their error, or as a range."""

from math import floor, log10

from infra.cli.size_answer import Number

NOT_KNOWN = "n/a"
"""For a price that nobody gave; never 0."""


def cell(number: Number | None) -> str:
    """Return a number with its error, or as a range where it is extrapolated."""
    if number is None:
        return NOT_KNOWN
    if number.label == "extrapolated":
        return f"{_rough(number.low)}-{_rough(number.high)}"
    return f"{short(number.value)} ±{number.error:.0%}"


def short(value: float) -> str:
    """Return a number with three digits at least."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def counted(number: Number) -> str:
    """Return a whole number, and the range that it is expected in."""
    return f"{number.value:,.0f} ({whole(number)})" if number.low < number.high else f"{number.value:,.0f}"


def count(number: int, noun: str) -> str:
    """Return a number of things."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def whole(number: Number) -> str:
    """Return a range of whole numbers, or the one that it is."""
    least, most = f"{number.low:,.0f}", f"{number.high:,.0f}"
    return least if least == most else f"{least}-{most}"


def money(number: Number | None) -> str:
    """Return an amount, or the range that it is expected in."""
    if number is None:
        return NOT_KNOWN
    if number.low < number.high:
        return f"{short(number.low)}-{short(number.high)}"
    return f"{number.value:,.2f}"


def _rough(value: float) -> str:
    """Return a number with two digits."""
    if value == 0:
        return "0"
    digits = 1 - floor(log10(abs(value)))
    return f"{round(value, digits):,.{max(0, digits)}f}"
