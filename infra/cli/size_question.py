"""Read what `modelunits size` is asked: model, templates, machines, prices and log."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from infra.capacity.alternatives import Demand
from infra.catalog.load import load_catalog_of, model_names
from infra.cli.arguments import fail_with
from infra.cli.market import catalog_market, stack_market
from infra.cli.offers import read_template, template_names
from infra.cli.size_check import Wanted, wrong
from infra.cli.size_compare import Question
from infra.problems import SpecError, allowed
from infra.spec.files import Files

if TYPE_CHECKING:
    from infra.cli.size_traffic import LoggedLoad


def read_question(
    root: Path,
    model: str | None,
    template: str | None,
    stack: str | None,
    wanted: Wanted,
    traffic: Path | None,
) -> "tuple[Question, LoggedLoad | None]":
    """Return what is asked, or end the command with everything that is wrong with it."""
    files, catalog = Files(root), load_catalog_of(model or "")
    facts = catalog.models.get(model or "")
    names = template_names(files)
    complaints = list(wrong(wanted, facts))
    if model is None:
        complaints.append(f"--model: is needed; {allowed(model_names())}")
    elif facts is None:
        complaints.append(f"--model: no model {model} in the catalog; {allowed(model_names(), model)}")
    if template is not None and template not in names:
        complaints.append(f"--template: no template {template}; {allowed(names, template)}")
    read = {name: read_template(files, name) for name in names}
    located = files.problems
    market, logged = None, None
    try:
        market = stack_market(root, stack, catalog) if stack else catalog_market(catalog)
    except SpecError as error:
        located |= set(error.problems)
    try:
        logged = _read_log(traffic, wanted) if traffic else None
    except SpecError as error:
        located |= set(error.problems)
    if logged and logged.traffic.cache_hit is not None and wanted.cache_hit is not None:
        complaints.append("--cache-hit: comes from the log of --traffic; leave it out")
    for complaint in complaints:
        typer.echo(f"modelunits: {complaint}", err=True)
    if located:
        fail_with(SpecError(located))
    if complaints or facts is None or market is None:
        raise typer.Exit(1)
    question = Question(
        model=facts,
        template=template,
        templates={name: value for name, value in read.items() if value},
        market=market,
        demand=Demand(
            load=logged.load if logged else wanted.load,
            requests_per_second=wanted.requests_per_second or 0.0,
            headroom=wanted.headroom,
        ),
        tier=wanted.tier,
        own=wanted.own,
        project=files,
    )
    return question, logged


def _read_log(path: Path, wanted: Wanted) -> "LoggedLoad":
    from infra.cli.size_traffic import read_log  # noqa: PLC0415 - only logs need it

    return read_log(path, wanted.cache_hit, wanted.adapters)
