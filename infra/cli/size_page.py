"""`modelunits size --html`: the calculator as one page, with all models and templates of a market."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from infra.capacity.load import REFERENCE_LOAD
from infra.catalog.load import load_catalog
from infra.catalog.model import Model
from infra.cli.offers import Candidate, Market, candidate, read_template, template_names
from infra.cli.size_check import Wanted
from infra.page.offers import Asked, Listed, Offers
from infra.page.page import PageInputs, page
from infra.page.runtime import runtime
from infra.spec.files import Files
from infra.spec.template import Template

WEB = files("infra.page") / "web"
USUAL_TIER = "balanced"


def page_offers(root: Path, market: Market, stack: str | None) -> Offers:
    """Return what a page can be asked: models that no template serves are not among it."""
    project = Files(root)
    templates = {
        name: read for name in template_names(project) if (read := read_template(project, name)) is not None
    }
    models = {model.name: dict(_listed(model, templates, market)) for model in load_catalog().models.values()}
    return Offers(
        currency=market.currency,
        stack=stack,
        models={name: listed for name, listed in models.items() if listed},
    )


def first_question(offers: Offers, model: str | None, template: str | None, wanted: Wanted) -> Asked | None:
    """Return what a page's fields say at first: what was asked, else a usual load of what is offered.

    None where no template of the offers serves the model, or the one that is named does not, or not so.
    """
    named = model or next(iter(offers.models), "")
    listed = offers.models.get(named, {})
    first = template or next(iter(listed), "")
    if first not in listed:
        return None
    if wanted.tier and wanted.tier not in listed[first].offer.tiers:
        return None
    return Asked(
        model=named,
        template=first,
        tier=None if wanted.own else wanted.tier or USUAL_TIER,
        own=wanted.own,
        requests_per_second=wanted.requests_per_second or 1.0,
        input_tokens=wanted.input_tokens or REFERENCE_LOAD.input_tokens,
        output_tokens=wanted.output_tokens or REFERENCE_LOAD.output_tokens,
        cache_hit=wanted.cache_hit or 0.0,
        headroom=wanted.headroom,
    )


def write_page(file: Path, offers: Offers, asked: Asked, market: Market) -> None:
    """Write the page; its fields ask at first what the command was asked."""
    inputs = PageInputs(
        offers=offers,
        asked=asked,
        made=f"Machines and prices are those of {market.name}.",
        runtime=runtime(),
        web={each.name: each.read_text(encoding="utf-8") for each in WEB.iterdir()},
    )
    file.write_text(page(inputs), encoding="utf-8")


def _listed(model: Model, templates: dict[str, Template], market: Market) -> Iterator[tuple[str, Listed]]:
    for name, template in templates.items():
        found = candidate(name, template, model, market)
        if found.offer is not None:
            yield name, Listed(offer=found.offer, longest_tokens=_longest(model, found))


def _longest(model: Model, found: Candidate) -> int:
    lengths = (stack.max_model_len for role, stack in found.roles.items() if role != "encode")
    return min([model.max_context, *(length for length in lengths if length)])
