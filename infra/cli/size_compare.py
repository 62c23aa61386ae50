"""Answer a question of `modelunits size`: every tier of a template, or every template."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.capacity.alternatives import Alternative, Demand, alternative, nearest
from infra.capacity.load import Load
from infra.capacity.sensitivity import sensitivities
from infra.capacity.serving import role_memories, too_long
from infra.capacity.sizing import Offer, Promise
from infra.catalog.model import Model
from infra.cli.market import Market
from infra.cli.offers import ADAPTER_RANK, Candidate, candidate
from infra.cli.size_answer import Answer, Entry, figures
from infra.cli.size_numbers import count
from infra.cli.size_warnings import warnings, whole_hourly
from infra.problems import allowed
from infra.spec.files import Files
from infra.spec.template import Template


class CannotError(Exception):
    """Nothing keeps the promise: what limits, and what can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, with everything that its names stand for."""

    model: Model
    template: str | None
    templates: Mapping[str, Template]
    """Those of the project; the asked one at least."""
    market: Market
    demand: Demand
    tier: str | None
    own: Promise | None
    project: Files
    """Whose measured runs count."""


def answer(question: Question) -> Answer:
    """Return the answer.

    Raises:
        CannotError: no template that was asked for keeps the promise.
    """
    if question.template is None:
        return _templates(question)
    return _tiers(question, question.template)


def _tiers(question: Question, name: str) -> Answer:
    """Compare the tiers of one template."""
    found = _candidate(question, name)
    if found.offer is None:
        raise CannotError(
            f"{name} cannot serve {question.model.name}: {'; '.join(found.reasons)}. {_others(question)}"
        )
    tiers = found.offer.tiers
    tier = question.tier or (None if question.own else question.templates[name].default_tier)
    if tier is not None and tier not in tiers:
        raise CannotError(
            f"--tier: {name} has no tier {tier} for {question.model.name}; {allowed(tiers, tier)}"
        )
    asked: dict[str | None, Promise] = {None: question.own} if question.own else {}
    compared = [
        alternative(name, found.offer, each, promise, question.demand)
        for each, promise in (asked | dict(tiers)).items()
    ]
    chosen = next(one for one in compared if one.tier == tier)
    if chosen.too_slow:
        raise CannotError(f"{_what(chosen)} cannot be kept. {chosen.too_slow}. {_others(question)}")
    return _answer(question, "Tier", compared, chosen, {name: found}, {})


def _templates(question: Question) -> Answer:
    """Compare all templates that serve a model."""
    candidates = {name: _candidate(question, name) for name in question.templates}
    left_out = {name: "; ".join(one.reasons) for name, one in candidates.items() if one.offer is None}
    compared: list[Alternative] = []
    known: set[str] = set()
    for name, one in candidates.items():
        if one.offer is None:
            continue
        known |= set(one.offer.tiers)
        tier = question.tier or question.templates[name].default_tier
        promise = question.own or one.offer.tiers.get(tier)
        if promise is None:
            left_out[name] = f"has no tier {tier}"
            continue
        named = None if question.own else tier
        compared.append(alternative(name, one.offer, named, promise, question.demand))
    if question.tier and known and question.tier not in known:
        raise CannotError(f"--tier: no template has a tier {question.tier}; {allowed(known, question.tier)}")
    chosen = nearest(compared)
    if chosen is None:
        reasons = "\n".join(f"  {name}: {why}" for name, why in left_out.items())
        raise CannotError(f"no template serves {question.model.name}:\n{reasons}")
    if chosen.too_slow:
        reasons = "\n".join(f"  {one.template}: {one.too_slow}" for one in compared)
        raise CannotError(f"no template keeps {_what(chosen)}:\n{reasons}\n{_nearest(chosen)}")
    return _answer(question, "Template", compared, chosen, candidates, left_out)


def _candidate(question: Question, name: str) -> Candidate:
    load = question.demand.load
    found = candidate(
        name, question.templates[name], question.model, question.market, load.adapters, question.project
    )
    long = too_long(found.roles, load)
    if found.offer is None or long is None:
        return found
    return Candidate(template=name, roles=found.roles, offer=None, reasons=(long,))


def _answer(
    question: Question,
    rows: str,
    compared: list[Alternative],
    chosen: Alternative,
    candidates: Mapping[str, Candidate],
    left_out: Mapping[str, str],
) -> Answer:
    entries = {id(one): _entry(question, one, candidates[one.template]) for one in compared}
    demand, sized = question.demand, chosen.sized
    return Answer(
        model=question.model.name,
        demand=demand,
        market=question.market.name,
        currency=question.market.currency,
        rows=rows,
        chosen=entries[id(chosen)],
        whole_hourly=whole_hourly(chosen, question.market),
        warnings=tuple(warnings(chosen, demand, question.market)),
        entries=tuple(entries.values()),
        left_out=left_out,
        sensitivities=sensitivities(chosen.offer, chosen.promise, demand, sized) if sized else (),
        lora_unverified=bool(demand.load.adapters) and chosen.offer.group.lora_factor is None,
    )


def _entry(question: Question, one: Alternative, by: Candidate) -> Entry:
    load: Load = question.demand.load
    ranks = (ADAPTER_RANK,) * load.adapters
    offer: Offer = one.offer
    running = one.sized.held.running if one.sized else 1
    return Entry(
        alternative=one,
        figures=figures(offer, one.sized, question.demand) if one.sized else None,
        memory=role_memories(question.model, by.roles, offer.group, load, running, ranks),
    )


def _others(question: Question) -> str:
    """Say which other template is nearest to keeping the promise."""
    compared, reasons = [], []
    for name in question.templates:
        if name == question.template:
            continue
        found = _candidate(question, name)
        if found.offer is None:
            reasons.append(f"\n  {name}: {'; '.join(found.reasons)}")
            continue
        tier = question.tier or (question.templates[name].default_tier if question.own is None else None)
        promise = question.own or found.offer.tiers.get(tier or "")
        if promise is not None:
            compared.append(alternative(name, found.offer, tier, promise, question.demand))
    best = nearest(compared)
    return _nearest(best) if best else f"No other template can either:{''.join(reasons)}"


def _nearest(one: Alternative) -> str:
    """Say what is nearest: a template that can, or the latencies that can be had."""
    if one.sized:
        units, gpus = count(one.sized.units, "unit"), count(one.sized.gpus, "GPU")
        return f"Nearest: {one.template} can, with {units} on {gpus}"
    alone = one.too_slow
    assert alone is not None
    return (
        f"Nearest: {one.template} reaches TTFT {alone.ttft_ms:,.0f} ms and TPOT {alone.tpot_ms:,.1f} ms "
        "with one request at a time"
    )


def _what(one: Alternative) -> str:
    promise = f"TTFT {one.promise.ttft_ms:,.0f} ms and TPOT {one.promise.tpot_ms:g} ms"
    return f"tier {one.tier} of {one.template} ({promise})" if one.tier else f"{promise} on {one.template}"
