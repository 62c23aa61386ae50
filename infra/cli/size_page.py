"""`modelunits size --html`: the calculator as one page, with all models and templates of a market."""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import typer

from infra.capacity.load import REFERENCE_LOAD
from infra.catalog.load import load_catalog
from infra.catalog.model import Model
from infra.cli.arguments import fail_with
from infra.cli.market import Market, catalog_market, stack_market
from infra.cli.offers import Candidate, candidate, read_template, template_names
from infra.cli.size_check import Wanted
from infra.page.check import fields, problems
from infra.page.offers import Asked, Listed, Offers
from infra.page.page import PageInputs, page
from infra.page.runtime import runtime
from infra.problems import SpecError, allowed
from infra.spec.files import Files
from infra.spec.template import Template

WEB = files("infra.page") / "web"
USUAL_TIER = "balanced"


def size_page(
    file: Path, root: Path, model: str | None, template: str | None, stack: str | None, wanted: Wanted
) -> None:
    """Write the page, its fields filled with what was asked, or end the command with all that is wrong."""
    project = Files(root)
    read = {name: read_template(project, name) for name in template_names(project)}
    try:
        market = stack_market(root, stack) if stack else catalog_market()
    except SpecError as error:
        fail_with(SpecError({*error.problems, *project.problems}))
    if project.problems:
        fail_with(SpecError(project.problems))
    offers = page_offers({name: value for name, value in read.items() if value}, market, stack, project)
    if project.problems:
        fail_with(SpecError(project.problems))
    complaints = list(_wrong(offers, model, template, wanted))
    asked = None if complaints else _first_question(offers, model, template, wanted)
    if asked is not None:
        complaints = [problem.text for problem in problems(fields(asked))]
    for complaint in complaints:
        typer.echo(f"modelunits: {complaint}", err=True)
    if complaints or asked is None:
        raise typer.Exit(1)
    text = page(
        PageInputs(
            offers=offers,
            asked=asked,
            made=f"Machines and prices are those of {market.name}.",
            runtime=runtime(),
            web={each.name: each.read_text(encoding="utf-8") for each in WEB.iterdir()},
        )
    )
    file.write_text(text, encoding="utf-8")
    typer.echo(f"{file}: {len(offers.models)} models, {len(text) / 1e6:.1f} MB")


def page_offers(
    templates: Mapping[str, Template], market: Market, stack: str | None, project: Files
) -> Offers:
    """Return what a page can be asked, measured runs of the project included.

    Models that no template serves are not among it.
    """
    models = {
        model.name: dict(_listed(model, templates, market, project))
        for model in load_catalog().models.values()
    }
    return Offers(
        currency=market.currency,
        stack=stack,
        models={name: listed for name, listed in models.items() if listed},
    )


def _listed(
    model: Model, templates: Mapping[str, Template], market: Market, project: Files
) -> Iterator[tuple[str, Listed]]:
    for name, template in templates.items():
        found = candidate(name, template, model, market, project=project)
        if found.offer is not None:
            yield name, Listed(offer=found.offer, longest_tokens=_longest(model, found))


def _longest(model: Model, found: Candidate) -> int:
    lengths = (stack.max_model_len for role, stack in found.roles.items() if role != "encode")
    return min([model.max_context, *(length for length in lengths if length)])


def _wrong(offers: Offers, model: str | None, template: str | None, wanted: Wanted) -> Iterator[str]:
    if not offers.models:
        yield "--html: no template serves any model of the catalog on these machines"
        return
    if wanted.adapters:
        yield "--adapters: the page has no field for them; leave it out"
    if model is not None and model not in offers.models:
        yield f"--model: no template serves {model}; {allowed(offers.models, model)}"
        return
    listed = offers.models[model or next(iter(offers.models))]
    if template is not None and template not in listed:
        yield f"--template: {template} does not serve the model; {allowed(listed, template)}"
        return
    tiers = listed[template or next(iter(listed))].offer.tiers
    if wanted.tier is not None and wanted.tier not in tiers:
        yield f"--tier: no tier {wanted.tier}; {allowed(tiers, wanted.tier)}"


def _first_question(offers: Offers, model: str | None, template: str | None, wanted: Wanted) -> Asked:
    """Return what was asked, and where nothing was, the reference load on the first of what is offered."""
    named = model or next(iter(offers.models))
    return Asked(
        model=named,
        template=template or next(iter(offers.models[named])),
        tier=None if wanted.own else wanted.tier or USUAL_TIER,
        own=wanted.own,
        requests_per_second=1.0 if wanted.requests_per_second is None else wanted.requests_per_second,
        input_tokens=REFERENCE_LOAD.input_tokens if wanted.input_tokens is None else wanted.input_tokens,
        output_tokens=REFERENCE_LOAD.output_tokens if wanted.output_tokens is None else wanted.output_tokens,
        cache_hit=wanted.cache_hit or 0.0,
        headroom=wanted.headroom,
    )
