"""Find where a rising function crosses zero; in a few calls, because each is a whole steady state."""

from collections.abc import Callable

_MOST_CALLS = 60


def crossing(rising: Callable[[float], float], low: float, high: float, close: float) -> float:
    """Return a place at most `close`, as a share, above where a function crosses zero between two places.

    The Illinois form of false position: a straight line through two places, of which a side that stays put
    counts half. Returns `high` where the function is below zero there.
    """
    below, above = rising(low), rising(high)
    if above <= 0:
        return high
    if below >= 0:
        return low
    for _ in range(_MOST_CALLS):
        if high - low <= close * high:
            break
        place = high - above * (high - low) / (above - below)
        # Steps that creep towards one side would never close the other.
        place = min(max(place, low + 0.01 * (high - low)), high - 0.01 * (high - low))
        found = rising(place)
        if found < 0:
            low, below, above = place, found, above / 2
        else:
            high, above, below = place, found, below / 2
    return high
