"""`modelunits local serve`: call the endpoints of a stack, on this machine."""

from typing import Annotated

import typer

from infra.cli.arguments import AsOf, Root, StackName, day_of

PORT = 8080


def serve(
    stack: StackName,
    root: Root,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ENDPOINT=URL",
            help="An engine that runs already, with the endpoint's id as its model; repeatable.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where callers come in.")] = PORT,
    as_of: AsOf = None,
) -> None:
    """Serve a stack on this machine until Ctrl-C.

    The gateway is the cluster's. Engines are real vLLM for CPUs with a tiny random model; they wake with the
    first request, and sleep again.
    """
    # The gateway and the keys take half a second to import, and other local commands need neither.
    from infra.cli.serve_stack import serve_stack  # noqa: PLC0415

    serve_stack(root, stack, day_of(root, stack, as_of), written_engines=engine or (), port=port)
