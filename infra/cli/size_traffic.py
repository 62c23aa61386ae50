"""`modelunits size --traffic`: what a log needs over its time, and what to reserve of it."""

from dataclasses import dataclass, replace
from math import isclose
from pathlib import Path

from infra.capacity.alternatives import Demand
from infra.capacity.commitment import StepPrice, StepRate, TrafficSize, size_traffic
from infra.capacity.load import Load
from infra.capacity.performance import best_within
from infra.capacity.serving import too_long
from infra.capacity.traffic import Traffic, describe
from infra.cli.offers import role_stacks
from infra.cli.size_answer import Answer, Entry
from infra.cli.size_compare import Question, answer
from infra.cli.traffic_log import TrafficLog, read_traffic

_PASSES = 4
"""Rates that are tried until the chosen template is the one that the rate was made for; two, as a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAnswer:
    """What a log shows, and what the chosen alternative needs for it."""

    log: TrafficLog
    traffic: Traffic
    size: TrafficSize
    too_long: str | None
    """What is to be said of the longest requests, where the engine would refuse them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedLoad:
    """A log, with what it does not say."""

    log: TrafficLog
    traffic: Traffic
    cache_hit: float | None
    """Where the log does not say."""
    adapters: int

    @property
    def load(self) -> Load:
        """Return the load to size with."""
        return self.told(self.traffic.load)

    def told(self, load: Load) -> Load:
        """Return a load of the log with what the log does not say."""
        hit = load.cache_hit if self.traffic.cache_hit is not None else self.cache_hit or 0.0
        return replace(load, cache_hit=hit, adapters=self.adapters)


def read_log(path: Path, cache_hit: float | None, adapters: int) -> LoggedLoad:
    """Return a log and what it shows.

    Raises:
        SpecError: not one request can be read.
    """
    log = read_traffic(path)
    return LoggedLoad(log=log, traffic=describe(log.requests), cache_hit=cache_hit, adapters=adapters)


def answer_log(question: Question, logged: LoggedLoad) -> tuple[Answer, LogAnswer]:
    """Return the answer for the neediest minute of a log, and what the chosen one needs over its time.

    Raises:
        CannotError: no template that was asked for keeps the promise.
    """
    rate = logged.traffic.peak.requests_per_second
    demand = Demand(load=logged.load, requests_per_second=rate, headroom=question.demand.headroom)
    found = answer(replace(question, demand=demand))
    size = _over_time(found.chosen, logged, demand.headroom)
    for _ in range(_PASSES):
        if isclose(size.peak_rps, demand.requests_per_second):
            break
        demand = replace(demand, requests_per_second=size.peak_rps)
        found = answer(replace(question, demand=demand))
        size = _over_time(found.chosen, logged, demand.headroom)
    roles = role_stacks(question.templates[found.chosen.alternative.template], question.market)
    longest = Load(
        input_tokens=logged.traffic.input_tokens.max, output_tokens=logged.traffic.output_tokens.max
    )
    return found, LogAnswer(
        log=logged.log, traffic=logged.traffic, size=size, too_long=too_long(roles, longest)
    )


def _over_time(chosen: Entry, logged: LoggedLoad, headroom: float) -> TrafficSize:
    one, sized = chosen.alternative, chosen.sized
    if sized is None:
        raise ValueError("a chosen alternative is sized")
    offer, promise = one.offer, one.promise
    known = one.tier is not None and offer.answer(one.tier, logged.load) is not None
    base = sized.step_requests_per_second

    def step_rate(load: Load) -> float:
        told = logged.told(load)
        if told == logged.load:
            return base
        held = best_within(offer.group, offer.with_image(told), promise.ttft_ms, promise.tpot_ms)
        return held.requests_per_second * offer.groups_per_step if held else base

    rate: float | StepRate = base if known else step_rate
    priced = offer.monthly_per_step is not None and offer.hourly_per_step is not None
    return size_traffic(
        logged.traffic,
        step_rps=rate,
        step_units=offer.units_per_step,
        headroom=headroom,
        price=StepPrice(monthly=offer.monthly_per_step or 0.0, hourly=offer.hourly_per_step or 0.0)
        if priced
        else None,
    )
