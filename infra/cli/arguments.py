"""What the commands share: arguments, the date, how a command fails."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from infra.problems import SpecError
from infra.spec.load import written_day

if TYPE_CHECKING:
    from infra.check import Checked


def _project_root(given: Path | None) -> Path:
    """Return the nearest folder, from here upwards, that holds a Pulumi.yaml."""
    start = (given or Path.cwd()).resolve()
    found = next((folder for folder in (start, *start.parents) if (folder / "Pulumi.yaml").is_file()), None)
    if found is None:
        fail(f"no Pulumi.yaml in {start} or above; run this inside a Model Units project")
    return found


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date such as 2026-12-31") from None


StackName = Annotated[str, typer.Argument(help="The stack: dev, prod, local …", show_default=False)]
Root = Annotated[
    Path,
    typer.Option(
        "--root",
        help="The project's folder; default: the nearest one with a Pulumi.yaml.",
        callback=_project_root,
        default_factory=lambda: None,
        show_default=False,
    ),
]
AsOf = Annotated[
    date | None,
    typer.Option(
        parser=_date, metavar="DATE", help="The day on which purchases count; default: the stack's, or today."
    ),
]


def day_of(root: Path, stack: str, as_of: date | None) -> date:
    """Return the day to judge on: as asked for, as the stack's file sets it, or today by this machine.

    Why the stack's file: the program and the policy pack read it, and all gates agree.
    """
    return as_of or written_day(root, stack) or date.today()


def fail(message: str) -> NoReturn:
    """End the command with a message and exit code 1."""
    typer.echo(f"modelunits: {message}", err=True)
    raise typer.Exit(1)


def fail_with(error: SpecError) -> NoReturn:
    """End the command with every problem on a line of its own, and exit code 1."""
    for problem in error.problems:
        typer.echo(str(problem), err=True)
    raise typer.Exit(1)


def checked_or_fail(root: Path, stack: str, as_of: date) -> "Checked":
    """Return a stack that has no problems, with its manifests; otherwise say them all and end."""
    from infra.check import check_stack  # noqa: PLC0415 - every rule, which only some commands need

    checked = check_stack(root, stack, as_of)
    try:
        checked.usable_plan()
    except SpecError as error:
        fail_with(error)
    return checked
