"""The `modelunits` command."""

import typer

from infra.cli import (
    calibrate,
    check,
    local,
    optimization_info,
    plan,
    render,
    schemas,
    size,
    status,
    template,
)

app = typer.Typer(
    name="modelunits",
    help="LLM endpoints from short YAML files: check, plan and render them, and see how they run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(check.check)
app.command()(plan.plan)
app.command()(render.render)
app.command()(status.status)
app.command()(size.size)
app.command()(optimization_info.optimization_info)
app.command()(calibrate.calibrate)
app.command()(schemas.schemas)
app.add_typer(template.app, name="template")
app.add_typer(local.app, name="local")


def main() -> None:
    """Run the command line; a full disk or a folder without rights ends it with a message."""
    try:
        app()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"modelunits: {where}{error.strerror or error}", err=True)
        raise SystemExit(1) from None
