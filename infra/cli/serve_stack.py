"""Serve a stack on this machine: its plan, the engines that run elsewhere, and how to call it."""

import json
import shlex
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from infra.catalog.load import load_catalog
from infra.cli.arguments import fail, fail_with
from infra.keys.book import KeysError
from infra.local.download import Unavailable
from infra.local.folders import folders
from infra.local.go_build import GoError
from infra.local.progress import Progress
from infra.local.serve.engines import StandIn
from infra.local.serve.errors import ServeError
from infra.local.serve.place import Listening
from infra.local.serve.serve import Wish
from infra.local.serve.serve import serve as serve_until_told
from infra.plan.make import make_plan
from infra.plan.model import Plan
from infra.problems import SpecError, allowed
from infra.render.gateway.make import needs_moderator
from infra.render.gateway.place import Address
from infra.spec.load import load_stack

HELLO = [{"role": "user", "content": "hello"}]


def serve_stack(root: Path, stack: str, day: date, *, written_engines: Iterable[str], port: int) -> None:
    """Serve a stack until told to end, or end with what is wrong."""
    plan = _plan(root, stack, day)
    elsewhere = _elsewhere(written_engines, plan)
    progress = Progress()

    def serving(ports: Listening, stand_ins: tuple[StandIn, ...]) -> None:
        for line in _how_to_call(stack, ports, stand_ins):
            progress.note(line)

    try:
        serve_until_told(folders(root), Wish(plan=plan, elsewhere=elsewhere, port=port), progress, serving)
    except (GoError, KeysError, ServeError, Unavailable) as error:
        fail(str(error))


def _plan(root: Path, stack: str, day: date) -> Plan:
    """Return the plan of a stack that can be served, or end with what is wrong.

    Why without the rules: they judge what is deployed, and here is no quota and no machine.
    """
    loaded = load_stack(root, stack)
    if loaded.stack is None:
        fail_with(SpecError(loaded.problems))
    planned = make_plan(loaded.stack, load_catalog(), day)
    if problems := (*loaded.problems, *planned.problems):
        fail_with(SpecError(tuple(sorted(problems))))
    where = f"stacks/Pulumi.{stack}.yaml"
    if not planned.plan.endpoints:
        fail(f"{stack} has no endpoints: write one into stacks/{stack}/")
    if planned.plan.gateway is None:
        fail(f"{stack} has no gateway: write `gateway` into {where}")
    if needs_moderator(planned.plan) and planned.plan.gateway.judges is None:
        fail(f"{stack} has moderated endpoints and no judge: write `moderation` into {where}")
    return planned.plan


def _elsewhere(written: Iterable[str], plan: Plan) -> Mapping[str, Address]:
    """Return the engines that somebody else runs, or end with everything that is wrong."""
    known = [endpoint.name for endpoint in plan.endpoints]
    found: dict[str, Address] = {}
    problems: list[str] = []
    for text in written:
        name, _, url = text.partition("=")
        address = _address(url)
        if name not in known:
            problems.append(f"--engine {text}: no endpoint {name}; {allowed(known, name)}")
        elif name in found:
            problems.append(f"--engine {text}: {name} has an engine already")
        elif address is None:
            problems.append(
                f"--engine {text}: must be ENDPOINT=http://HOST:PORT, such as {name}=http://127.0.0.1:8000"
            )
        else:
            found[name] = address
    if problems:
        fail("\n".join(problems))
    return found


def _address(url: str) -> Address | None:
    """Return where an engine listens; the gateway asks it for /v1/… itself, over plain HTTP."""
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        return None
    plain = parts.scheme == "http" and not (parts.username or parts.query or parts.fragment)
    if not plain or parts.hostname is None or parts.path.rstrip("/") not in ("", "/v1"):
        return None
    return Address(host=parts.hostname, port=port)


def _how_to_call(stack: str, ports: Listening, stand_ins: Iterable[StandIn]) -> Iterable[str]:
    """Yield what a person needs for a first answer."""
    listed = tuple(stand_ins)
    first = next((one for one in listed if one.endpoint.shape == "single"), listed[0]).endpoint
    yield f"serving {stack} at {ports.base_url}"
    yield ""
    yield from _rows(("ENDPOINT", "ID", "TEAM", "STATE"), [_row(one) for one in listed])
    yield ""
    yield "What to try; the first answer takes as long as an engine starts:"
    yield ""
    yield (
        f"  modelunits keys create {stack} --local --team {first.team} --description trial  "
        "# then export what it says"
    )
    yield (
        '  curl "$OPENAI_BASE_URL/chat/completions" -H "Authorization: Bearer $OPENAI_API_KEY"'
        " -H 'Content-Type: application/json' -d "
        + shlex.quote(json.dumps({"model": first.id, "messages": HELLO, "max_tokens": 20}))
    )
    yield (
        '  python -c "from openai import OpenAI; '
        f"print(OpenAI().chat.completions.create(model='{first.id}', "
        f'messages={HELLO}, max_tokens=20).choices[0].message.content)"'
    )
    yield ""
    yield "Ctrl-C ends it."


def _row(one: StandIn) -> tuple[str, ...]:
    state = f"asleep; {one.says}" if one.processes else one.says
    return one.endpoint.name, one.endpoint.id, one.endpoint.team, state


def _rows(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    lines = (headings, *rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()
