"""`modelunits schemas`: the JSON Schemas that editors read."""

from typing import Annotated

import typer

from infra.cli.arguments import Root, fail
from infra.spec.schemas import schema_texts


def schemas(
    root: Root,
    check: Annotated[bool, typer.Option("--check", help="Only say whether a file is stale.")] = False,
) -> None:
    """Write the JSON Schemas of endpoint, template and environment files to schemas/."""
    folder = root / "schemas"
    for name, text in schema_texts().items():
        file = folder / name
        current = file.read_text(encoding="utf-8") if file.is_file() else None
        if current == text:
            continue
        if check:
            fail(f"schemas/{name} is stale; run `make schemas`")
        folder.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        typer.echo(f"wrote schemas/{name}")
