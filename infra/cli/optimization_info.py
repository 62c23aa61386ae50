"""`modelunits optimization-info`: the chunks that throughput is sold in, as Databricks tells them."""

import json
from collections.abc import Mapping
from typing import Annotated

import typer

from infra.catalog.load import load_catalog
from infra.catalog.model import Model
from infra.cli.arguments import Root, fail_with
from infra.cli.market import Market, catalog_market, stack_market
from infra.cli.offers import candidate, read_template, template_names
from infra.plan.units import chunk
from infra.problems import SpecError, allowed
from infra.spec.files import Files
from infra.spec.template import Template

Info = Mapping[str, object]
"""Fields by their names there."""


def optimization_info(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The catalog's name of the model.", show_default=False)
    ],
    root: Root,
    template: Annotated[
        str | None, typer.Option(metavar="TEMPLATE", help="Only this one; default: all of them.")
    ] = None,
    stack: Annotated[
        str | None, typer.Option(metavar="STACK", help="Whose machines count; default: the catalog's.")
    ] = None,
) -> None:
    """Say for every template and tier whether a model can have throughput, and in which chunks; as JSON.

    Fields are those of get-model-optimization-info; tokens per second, input and output, of one step.
    """
    files, catalog = Files(root), load_catalog()
    names = template_names(files)
    complaints = []
    if model not in catalog.models:
        complaints.append(f"no model {model} in the catalog; {allowed(catalog.models, model)}")
    if template is not None and template not in names:
        complaints.append(f"--template: no template {template}; {allowed(names, template)}")
    asked = names if template is None else tuple(name for name in names if name == template)
    read = {name: read_template(files, name) for name in asked}
    located, market = set(files.problems), None
    try:
        market = stack_market(root, stack) if stack else catalog_market()
    except SpecError as error:
        located |= set(error.problems)
    for complaint in complaints:
        typer.echo(f"modelunits: {complaint}", err=True)
    if located:
        fail_with(SpecError(located))
    if complaints or market is None:
        raise typer.Exit(1)
    facts = catalog.models[model]
    found = {name: info(name, value, facts, market) for name, value in read.items() if value}
    print(json.dumps(found, indent=2))


def info(name: str, template: Template, model: Model, market: Market) -> Info:
    """Return what each tier of a template sells of a model, or why it sells nothing."""
    reasons = candidate(name, template, model, market).reasons
    tiers = template.performance.get(model.name)
    if not reasons and tiers is None:
        reasons = (
            f"no performance of {model.name} in templates/{name}.yaml; "
            f"`modelunits template performance {name} --write` fills it, if the model keeps its default tier",
        )
    if reasons or tiers is None:
        return {"optimizable": False, "model_type": model.model_type, "reason": "; ".join(reasons)}
    return {
        tier: {
            "optimizable": True,
            "model_type": model.model_type,
            "throughput_chunk_size": chunk(row.tps * template.groups_per_step),
        }
        for tier, row in tiers.items()
    }
