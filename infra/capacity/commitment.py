"""What to buy for a log of requests: the units of every minute, the reserved floor and the hourly ceiling."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from infra.capacity.load import Load
from infra.capacity.traffic import DAY_S, MINUTE_S, Minute, Traffic

HOURS_PER_MONTH = 730
"""365 days of 24 hours, over 12 months."""

STAY_MINUTES = 5
"""How long hourly units stay, and are paid, after the load has gone: autoscaling's scale-down window."""

StepRate = Callable[[Load], float]
"""The requests a second that one step serves of a load, within the tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteNeed:
    """One minute of the series to plot."""

    minute: int
    """Counted from the log's second 0."""
    requests_per_second: float
    units: int
    """Needed in this minute, headroom included; a multiple of the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPrice:
    """What one step costs: the sum over its units, which differ by role; one currency."""

    monthly: float
    """Reserved, paid always."""
    hourly: float
    """Hourly, paid by the second while up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """The reserved floor and the hourly ceiling that cost least, and a month's cost of them and of others."""

    reserved_units: int
    hourly_max_units: int
    break_even_share: float
    """A step that is up for a larger share of the time is cheaper reserved."""
    reserved_cost: float
    hourly_cost: float
    """As often up as in the log, for `STAY_MINUTES` longer each time."""
    all_reserved_cost: float
    all_hourly_cost: float

    @property
    def monthly_cost(self) -> float:
        """Return what both cost in a month of 730 hours like those of the log."""
        return self.reserved_cost + self.hourly_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSize:
    """What a log needs in units."""

    load: Load
    """Of which `step_rps` is the rate."""
    step_units: int
    step_rps: float
    headroom: float
    series: tuple[MinuteNeed, ...]
    peak_units: int
    """In the neediest minute: what reserved and hourly units must reach together."""
    peak_rps: float
    """Requests of the mean length a second that are as much work as those of the neediest minute."""
    mean_units: float
    commitment: Commitment | None
    """None where a price is unknown."""
    limits: tuple[str, ...]
    """Sentences: what the log cannot show, so what these figures must not be trusted for."""


def size_traffic(
    traffic: Traffic,
    *,
    step_rps: float | StepRate,
    step_units: int,
    headroom: float,
    price: StepPrice | None,
) -> TrafficSize:
    """Return the units of every minute and the commitment that costs least.

    `step_rps` is the rate of one step: a number, for requests of the mean length, or a function of the load.
    With a function, minutes of longer requests need more: it is asked three times, for its slope in tokens
    in and out around the mean. It must be above 0 for `traffic.load`; ask for that first, and say why a
    model does not fit. `step_units` are the units of one step, `headroom` the factor on demand, at least 1.
    Within a minute, demand is taken as even; the headroom and the tier's own queueing cover the rest.
    """
    load = traffic.load
    work = _work(step_rps, load)
    need = [_steps(minute, work, headroom) for minute in traffic.minutes]
    series = tuple(
        MinuteNeed(
            minute=minute.minute, requests_per_second=minute.requests_per_second, units=steps * step_units
        )
        for minute, steps in zip(traffic.minutes, need, strict=True)
    )
    return TrafficSize(
        load=load,
        step_units=step_units,
        step_rps=1 / work.of_mean,
        headroom=headroom,
        series=series,
        peak_units=max(need) * step_units,
        peak_rps=max(map(work.of, traffic.minutes)) / MINUTE_S / work.of_mean,
        mean_units=sum(need) * step_units / len(need),
        commitment=None if price is None else commitment(need, step_units=step_units, price=price),
        limits=tuple(_limits(traffic)),
    )


def commitment(need: Sequence[int], *, step_units: int, price: StepPrice) -> Commitment:
    """Return the reserved floor that costs least for the steps needed minute by minute, and the ceiling.

    With R steps reserved, the monthly price m of a step and the hourly price h, and u(t) steps up, a month
    costs `m R + 730 h mean(max(0, u(t) - R))`. One more reserved step adds m and saves `730 h P(u > R)`: the
    time that it would have been up. That share only falls as R grows, so the least cost is where it crosses
    the ratio of the prices:

        reserve step k  exactly if  P(u >= k) > m / (730 h)

    Hourly units do the rest, up to the neediest minute. Between equal costs, fewer are reserved: hourly units
    bind nobody.
    """
    up = [max(need[max(0, at - STAY_MINUTES) : at + 1]) for at in range(len(need))]
    peak = max(up)
    at_least = _at_least(up, peak)
    hour_cost = HOURS_PER_MONTH * price.hourly / len(up)
    reserved = sum(minutes * hour_cost > price.monthly for minutes in at_least)
    return Commitment(
        reserved_units=reserved * step_units,
        hourly_max_units=(peak - reserved) * step_units,
        break_even_share=min(1.0, price.monthly / (HOURS_PER_MONTH * price.hourly)) if price.hourly else 1.0,
        reserved_cost=reserved * price.monthly,
        hourly_cost=sum(at_least[reserved:]) * hour_cost,
        all_reserved_cost=peak * price.monthly,
        all_hourly_cost=sum(at_least) * hour_cost,
    )


def _at_least(up: Sequence[int], peak: int) -> list[int]:
    """Return the duration curve: for each step from the first on, the minutes in which it is up."""
    minutes = [0] * (peak + 1)
    for steps in up:
        minutes[steps] += 1
    for steps in range(peak, 0, -1):
        minutes[steps - 1] += minutes[steps]
    return minutes[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """The seconds that one step works on a request, linear in tokens around the mean load."""

    of_mean: float
    each: float
    per_input_token: float
    per_output_token: float

    def of(self, minute: Minute) -> float:
        """Return the work that arrived in a minute."""
        return (
            minute.requests * self.each
            + minute.input_tokens * self.per_input_token
            + minute.output_tokens * self.per_output_token
        )


def _work(step_rps: float | StepRate, load: Load) -> _Work:
    """Take the rate's first-order expansion: 1 / rate is the time that a request takes of a step."""
    if not callable(step_rps):
        return _Work(of_mean=1 / step_rps, each=1 / step_rps, per_input_token=0.0, per_output_token=0.0)
    of_mean = 1 / step_rps(load)
    # Shorter ones, not longer: where the mean fits into memory, they do too.
    shorter_in = replace(load, input_tokens=ceil(load.input_tokens * 0.8))
    shorter_out = replace(load, output_tokens=ceil(load.output_tokens * 0.8))

    def slope(shorter: Load, tokens: int) -> float:
        return max(0.0, of_mean - 1 / step_rps(shorter)) / tokens if tokens else 0.0

    per_input = slope(shorter_in, load.input_tokens - shorter_in.input_tokens)
    per_output = slope(shorter_out, load.output_tokens - shorter_out.output_tokens)
    each = of_mean - per_input * load.input_tokens - per_output * load.output_tokens
    return _Work(of_mean=of_mean, each=each, per_input_token=per_input, per_output_token=per_output)


def _steps(minute: Minute, work: _Work, headroom: float) -> int:
    """Round up to whole steps; a minute with any request needs one."""
    steps = ceil(round(work.of(minute) * headroom / MINUTE_S, 9))
    return max(steps, 1 if minute.requests else 0)


def _limits(traffic: Traffic) -> list[str]:
    said = ["A month is taken to be 730 hours like those of the log."]
    covers = f"The log covers {_duration(traffic.span_s)}: it cannot show"
    # An hour less: the first and the last request of a whole day are not 24 hours apart.
    if traffic.span_s < DAY_S - 3600:
        said.append(f"{covers} nights, when reserved units may idle, and may have missed the day's peak.")
    elif traffic.span_s < 7 * DAY_S - 3600:
        said.append(f"{covers} weekends, when reserved units may idle, nor the week's peak.")
    if traffic.missing_s:
        said.append(
            f"{_duration(traffic.missing_s)} without a request are taken for missing data and left out."
        )
    if idle := [silence for silence in traffic.longest_silences if not silence.missing]:
        said.append(
            f"Times without a request up to 3 days are taken for idleness; the longest is "
            f"{_duration(idle[0].seconds)}."
        )
    return said


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"
