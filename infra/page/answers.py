"""Answer what the page asks: the only Python that its JavaScript calls."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

from infra.capacity.alternatives import Demand, alternative
from infra.capacity.load import Load
from infra.capacity.sensitivity import sensitivities
from infra.capacity.sizing import Promise, Sized
from infra.page import draw, tell
from infra.page.check import problems, question
from infra.page.offers import OWN, Asked, Listed, Offers
from infra.page.values import from_json
from infra.page.view import Problem, View

Outcome = Sized | str
"""What a template takes, or why it cannot."""


def answering(offers: str) -> Callable[[str], str]:
    """Return what turns a question into an answer, both JSON, for a page's offers."""
    known = from_json(json.loads(offers))
    if not isinstance(known, Offers):
        raise TypeError("a page carries Offers")

    def answer(fields: str) -> str:
        typed = json.loads(fields)
        wrong = problems(typed)
        return json.dumps(asdict(View(problems=wrong) if wrong else view(known, question(typed))))

    return answer


def view(offers: Offers, asked: Asked) -> View:
    """Return all that a page shows for a question."""
    templates = offers.models[asked.model]
    listed = templates[asked.template]
    demand = _demand(asked)
    promises = dict(listed.offer.tiers) | ({OWN: asked.own} if asked.own else {})
    name = asked.tier or OWN
    tiers = {tier: _outcome(asked.template, listed, tier, promises[tier], demand) for tier in promises}
    others = {
        template: tiers[name] if template == asked.template else _elsewhere(template, other, asked, demand)
        for template, other in templates.items()
    }
    shown = View(
        latency=draw.latency_plot(listed.offer, demand.load, promises, _sized(tiers)),
        cost=draw.cost_plot(
            {template: one.offer for template, one in templates.items()},
            _sized(others),
            asked,
            offers.currency,
        ),
        tables=(
            tell.alternatives(f"Every tier of {asked.template}", "Tier", tiers, name, offers.currency),
            tell.alternatives(
                f"Every template for {asked.model}", "Template", others, asked.template, offers.currency
            ),
        ),
    )
    found = tiers[name]
    if isinstance(found, str):
        return replace(shown, problems=(Problem(field="tier", text=_refusal(asked, found, _sized(others))),))
    return replace(
        shown,
        headline=tell.count(found.units, "unit"),
        detail=tell.detail(found, offers.currency),
        basis=tell.basis(found, sensitivities(listed.offer, promises[name], demand, found)[0]),
        command=tell.command(asked, offers.stack),
        numbers=(
            tell.latency(found),
            tell.throughput(found, listed.offer),
            tell.cost(found, offers.currency),
        ),
    )


def _demand(asked: Asked) -> Demand:
    return Demand(
        load=Load(
            input_tokens=asked.input_tokens, output_tokens=asked.output_tokens, cache_hit=asked.cache_hit
        ),
        requests_per_second=asked.requests_per_second,
        headroom=asked.headroom,
    )


def _outcome(template: str, listed: Listed, tier: str, promise: Promise, demand: Demand) -> Outcome:
    if demand.load.total_tokens > listed.longest_tokens:
        return tell.too_long(listed.longest_tokens, demand.load.total_tokens)
    found = alternative(template, listed.offer, None if tier == OWN else tier, promise, demand)
    return found.sized or str(found.too_slow)


def _elsewhere(template: str, listed: Listed, asked: Asked, demand: Demand) -> Outcome:
    promise = listed.offer.tiers.get(asked.tier) if asked.tier else asked.own
    if promise is None:
        return f"has no tier {asked.tier}"
    return _outcome(template, listed, asked.tier or OWN, promise, demand)


def _sized(outcomes: Mapping[str, Outcome]) -> Mapping[str, Sized]:
    return {name: found for name, found in outcomes.items() if isinstance(found, Sized)}


def _refusal(asked: Asked, reason: str, others: Mapping[str, Sized]) -> str:
    able = f"templates that can: {', '.join(others)}" if others else "no template can"
    return f"{asked.template} cannot serve this: {reason}; {able}"
