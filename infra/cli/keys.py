"""`modelunits keys`: who may call the endpoints of a stack."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.cli.arguments import Root, StackName, fail, fail_with
from infra.cli.keys_text import (
    created_text,
    document,
    keys_table,
    serve_text,
    too_many_text,
    use_text,
    used_document,
    where_text,
)
from infra.cli.terminal import terminal
from infra.keys.book import Key, KeysError, TooManyKeysError
from infra.keys.contents import with_key, without_key
from infra.keys.folder import FolderStore
from infra.keys.last_used import LastUsed, machine_last_used, running
from infra.keys.store import Store
from infra.local.control_plane import own_kubeconfig
from infra.local.folders import folders
from infra.local.serve.place import serve_folder
from infra.plan.gateway import base_url
from infra.problems import SpecError
from infra.spec.environment import Environment
from infra.spec.files import Files
from infra.spec.load import load_environment

SECRET_BYTES = 32
"""256 random bits: 43 characters that survive URLs and shells."""

PIPE_WIDTH = 300
"""Columns where there is no terminal: a row with the longest description."""

app = typer.Typer(
    help="API keys: create, list and revoke them. A team has at most five.", no_args_is_help=True
)

Local = Annotated[
    bool, typer.Option("--local", help="Keys of `modelunits local serve` on this machine, not the cluster's.")
]


class KeysFormat(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


Format = Annotated[KeysFormat, typer.Option("--format", help="How to print.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the keys of a stack are kept, and what is known there."""

    teams: tuple[str, ...]
    store: Store
    base_url: str | None
    """What callers use; None where no gateway runs on this machine."""
    only_inside: bool
    """Whether only the cluster knows the name in it."""
    last_used: Callable[[], LastUsed]


@app.command()
def create(
    stack: StackName,
    root: Root,
    team: Annotated[str, typer.Option(help="The team that calls: its endpoints and no others.")],
    description: Annotated[str, typer.Option(help="Who uses the key, for what.")],
    local: Local = False,
    output: Format = KeysFormat.TEXT,
) -> None:
    """Create a key and show it, once and never again."""
    place = _place(root, stack, local)
    secret = f"mu-{secrets.token_urlsafe(SECRET_BYTES)}"
    key = Key(id=f"k{secrets.token_hex(4)}", team=team, description=description, created=datetime.now(UTC))
    try:
        after = place.store.change(lambda before: with_key(before, key, secret, place.teams))
    except TooManyKeysError as error:
        fail(too_many_text(error, place.last_used(), _command("revoke", stack, local)))
    except KeysError as error:
        fail(str(error))
    made = next(one for one in after.book.keys if one.id == key.id)
    if output is KeysFormat.JSON:
        print(json.dumps({**document(made), "key": secret, "base_url": place.base_url}, indent=2))
    else:
        url = place.base_url
        use = use_text(url, secret, inside=place.only_inside) if url else serve_text(stack)
        print(created_text(made, secret, use))


@app.command("list")
def list_(stack: StackName, root: Root, local: Local = False, output: Format = KeysFormat.TEXT) -> None:
    """List keys: id, team, description, when created and last used; never the keys themselves."""
    place = _place(root, stack, local)
    try:
        keys = place.store.read().book.keys
    except KeysError as error:
        fail(str(error))
    where = where_text(local=local)
    used = place.last_used() if keys else {}
    if output is KeysFormat.JSON:
        print(json.dumps([{**document(key), **used_document(key, used)} for key in keys], indent=2))
    elif keys:
        console = Console()
        console = console if console.is_terminal else Console(width=PIPE_WIDTH)
        console.print(terminal(keys_table(stack, where, keys, used)))
    else:
        print(f"{stack} has no keys {where}")


@app.command()
def revoke(
    stack: StackName,
    key_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id that `list` shows.", show_default=False)
    ],
    root: Root,
    local: Local = False,
) -> None:
    """Revoke a key: within seconds no request with it is taken; streams that run end as usual."""
    place = _place(root, stack, local)
    try:
        place.store.change(lambda before: without_key(before, key_id))
    except KeysError as error:
        fail(str(error))
    print(f"key {key_id} is revoked: within seconds no request with it is taken; streams that run go on")


def _command(name: str, stack: str, local: bool) -> str:
    return f"modelunits keys {name} {stack}{' --local' if local else ''}"


def _place(root: Path, stack: str, local: bool) -> _Place:
    """Return where the keys of a stack are kept, or end with what is wrong.

    Why the environment alone: a mistake in an endpoint's file must not keep anybody from revoking a key.
    """
    files = Files(root)
    environment = load_environment(files, stack)
    if environment is None:
        fail_with(SpecError(files.problems))
    return (_on_this_machine if local else _in_the_cluster)(root, stack, environment.value)


def _on_this_machine(root: Path, stack: str, environment: Environment) -> _Place:
    served = serve_folder(folders(root), stack)
    gateway = running(served.record)
    return _Place(
        teams=tuple(environment.teams),
        store=FolderStore(served.keys),
        base_url=gateway.base_url if gateway else None,
        only_inside=False,
        last_used=lambda: machine_last_used(gateway),
    )


def _in_the_cluster(root: Path, stack: str, environment: Environment) -> _Place:
    # The Kubernetes client takes a third of the command's start, and keys of this machine need none.
    from infra.keys.cluster import connect  # noqa: PLC0415
    from infra.keys.gateways import cluster_last_used  # noqa: PLC0415
    from infra.keys.secret import SecretStore  # noqa: PLC0415

    if environment.gateway is None:
        fail(
            f"{stack} has no gateway, so nobody would ask for keys: write `gateway` into "
            f"stacks/Pulumi.{stack}.yaml, or use --local"
        )
    context = environment.cluster.context
    try:
        api = connect(context, own_kubeconfig(folders(root), context))
    except KeysError as error:
        fail(str(error))
    return _Place(
        teams=tuple(environment.teams),
        store=SecretStore(api, stack),
        base_url=base_url(stack, environment.gateway),
        only_inside=environment.gateway.host is None,
        last_used=lambda: cluster_last_used(api, stack),
    )
