"""The `modelunits` command."""

from importlib import import_module
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

if TYPE_CHECKING:
    from typer._click import Command, Context

COMMANDS = {
    "check": "check:check",
    "plan": "plan:plan",
    "render": "render:render",
    "status": "status:status",
    "size": "size:size",
    "optimization-info": "optimization_info:optimization_info",
    "calibrate": "calibrate:calibrate",
    "schemas": "schemas:schemas",
    "template": "template:app",
    "keys": "keys:app",
    "local": "local:app",
}
"""Every command, and where in this package it is: a function, or an application of its own."""


class _OnlyTheAsked(TyperGroup):
    """Imports the command that is asked for, and no other.

    Why: rules, Pulumi and Kubernetes take a second to import, and most commands need none of them.
    """

    def list_commands(self, ctx: "Context") -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
        if cmd_name not in COMMANDS:
            # A misspelt name is worth importing all of them: the nearest is suggested.
            self.commands = {name: one for name in COMMANDS if (one := self.get_command(ctx, name))}
            return None
        module, _, member = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(f"infra.cli.{module}"), member)
        if isinstance(found, typer.Typer):
            group = get_group(found)
            group.name = cmd_name
            return group
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(found)
        return get_command(alone)


app = typer.Typer(
    name="modelunits",
    help="LLM endpoints from short YAML files: check, plan and render them, and see how they run.",
    cls=_OnlyTheAsked,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _modelunits() -> None:
    """Have commands below `modelunits`."""


def main() -> None:
    """Run the command line; a full disk or a folder without rights ends it with a message."""
    try:
        app()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"modelunits: {where}{error.strerror or error}", err=True)
        raise SystemExit(1) from None
