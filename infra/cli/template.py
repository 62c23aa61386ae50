"""`modelunits template`: what templates do, by the calculator."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.cli.arguments import Root, fail, fail_with
from infra.cli.market import catalog_market
from infra.cli.offers import read_template, template_names
from infra.cli.performance_text import Tables, filled, with_tables
from infra.cli.size_print import PIPE_WIDTH
from infra.cli.terminal import terminal
from infra.plan.tables import Column, Table
from infra.problems import SpecError, allowed
from infra.spec.files import Files

app = typer.Typer(help="What templates do, by the calculator.", no_args_is_help=True)


@app.callback()
def template() -> None:
    """Have commands below `template`, though there is only one."""


@app.command()
def performance(
    name: Annotated[str, typer.Argument(metavar="TEMPLATE", help="The template's name.", show_default=False)],
    root: Root,
    write: Annotated[bool, typer.Option("--write", help="Put the table into the template's file.")] = False,
) -> None:
    """Show what a group of a template does for every model that it serves; exit code 1 if its table is stale.

    Rows that are labelled measured stay; all others are made anew, from calibrations where there are any.
    """
    files = Files(root)
    names = template_names(files)
    if name not in names:
        fail(f"no template {name}; {allowed(names, name)}")
    stale = refill(root, name, files, write=write)
    if stale and not write:
        fail(f"templates/{name}.yaml is stale; --write puts this table into it")


def refill(root: Path, name: str, files: Files, *, write: bool, show: bool = True) -> bool:
    """Make a template's table anew, write it if asked to, and say whether the one in its file is another."""
    found = read_template(files, name)
    market = catalog_market()
    if found is None:
        fail_with(SpecError(files.problems))
    absent = sorted({role.machine for role in found.roles.values()} - set(market.machines))
    if absent:
        fail(f"templates/{name}.yaml: the catalog has no machine {', '.join(absent)}")
    made = filled(found, market, files)
    if files.problems:
        fail_with(SpecError(files.problems))
    if made.problems:
        fail(f"templates/{name}.yaml cannot serve what its table lists:\n  " + "\n  ".join(made.problems))
    path = root / "templates" / f"{name}.yaml"
    before = path.read_text(encoding="utf-8")
    after = with_tables(before, made.tables)
    if show:
        _print(name, made.tables)
    if write and after != before:
        path.write_text(after, encoding="utf-8")
        print(f"templates/{name}.yaml: rewritten")
    return after != before


def _print(name: str, tables: Tables) -> None:
    console = Console()
    console = console if console.is_terminal else Console(width=PIPE_WIDTH)
    numbers = ("TTFT ms", "TPOT ms", "Concurrency", "TPS")
    table = Table(
        title=f"One group of {name}, 3,000 tokens in and 300 out",
        columns=(
            Column(heading="Model"),
            Column(heading="Tier"),
            *(Column(heading=heading, numeric=True) for heading in numbers),
            Column(heading="Figures"),
        ),
        rows=tuple(
            (
                model if place == 0 else "",
                tier,
                *(f"{float(row[key]):,.0f}" for key in ("ttft_ms", "tpot_ms", "concurrency", "tps")),
                str(row["label"]),
            )
            for model, rows in tables.items()
            for place, (tier, row) in enumerate(rows.items())
        ),
    )
    console.print(terminal(table))
