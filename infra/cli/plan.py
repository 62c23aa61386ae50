"""`modelunits plan`: what a stack comes to, and what it changes."""

import json
from dataclasses import replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from infra.catalog.load import load_catalog
from infra.cli.arguments import AsOf, Root, StackName, day_of, fail, fail_with
from infra.cli.revision import RevisionError, revision
from infra.cli.terminal import terminal
from infra.plan.compare import PlanDiff, compare, diff_document
from infra.plan.document import document
from infra.plan.explain import changes, markdown, summary
from infra.plan.make import make_plan
from infra.plan.model import Plan
from infra.plan.tables import tables
from infra.problems import SpecError
from infra.spec.load import load_stack, stack_names

PIPE_WIDTH = 160
"""Columns where there is no terminal: wide enough that no cell of a usual plan is folded."""


class PlanFormat(StrEnum):
    """How the plan is written."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


def plan(
    stack: StackName,
    root: Root,
    against: Annotated[
        str | None, typer.Option(metavar="REF", help="Show what changes since this git revision.")
    ] = None,
    as_of: AsOf = None,
    output: Annotated[PlanFormat, typer.Option("--format", help="How to print.")] = PlanFormat.TABLE,
) -> None:
    """Show what a stack comes to: units, GPUs, machines and cost; exit code 1 where something is left out."""
    judged_on = day_of(root, stack, as_of)
    loaded = load_stack(root, stack)
    if loaded.stack is None:
        fail_with(SpecError(loaded.problems))
    planned = make_plan(loaded.stack, load_catalog(), judged_on)
    diff = compare(_plan_at(root, against, stack, judged_on), planned.plan) if against is not None else None
    if output is PlanFormat.JSON:
        print(
            json.dumps(document(planned.plan) | ({"changes": diff_document(diff)} if diff else {}), indent=2)
        )
    elif output is PlanFormat.MARKDOWN:
        print(markdown(planned.plan, diff, against), end="")
    else:
        _print(planned.plan, diff, against)
    if problems := (*loaded.problems, *planned.problems):
        fail_with(SpecError(problems))


def _plan_at(root: Path, ref: str, stack: str, day: date) -> Plan | None:
    """Return the plan of another revision on the same day; None where it had no such stack."""
    try:
        with revision(root, ref) as folder:
            if stack not in stack_names(folder):
                return None
            loaded = load_stack(folder, stack)
    except RevisionError as error:
        fail(str(error))
    if loaded.stack is None:
        fail(f"{stack} cannot be planned as of {ref}: {loaded.problems[0]}")
    planned = make_plan(loaded.stack, load_catalog(), day)
    for problem in (*loaded.problems, *planned.problems):
        typer.echo(f"modelunits: left out as of {ref}: {problem}", err=True)
    return planned.plan


def _print(plan: Plan, diff: PlanDiff | None, against: str | None) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    for table in tables(plan):
        console.print(terminal(table), end="\n\n")
    if diff is not None and diff.empty:
        console.print(Text(f"Nothing changes against {against}."))
    elif diff is not None:
        console.print(terminal(replace(changes(diff), title=f"Changes against {against}")), end="\n\n")
    console.print(summary(plan), highlight=False, soft_wrap=True)
