"""`modelunits size`: how many units a load takes, what they cost, and how far to trust it."""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.arguments import AsOf, Root, day_of, fail, fail_with
from infra.cli.size_answer import Answer
from infra.cli.size_check import Wanted, wrong_promise
from infra.cli.size_compare import CannotError, Question, answer
from infra.cli.size_print import LogWords, document, markdown, print_tables
from infra.cli.size_question import read_question
from infra.cli.size_write import Bought, RefusedError, Target, target_of, write_answer
from infra.problems import SpecError

if TYPE_CHECKING:
    from infra.cli.size_traffic import LogAnswer, LoggedLoad


class SizeFormat(StrEnum):
    """How the answer is written."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


def size(
    root: Root,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The catalog's name of the model.")
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            metavar="TEMPLATE", help="Every tier of it; default: every template that serves the model."
        ),
    ] = None,
    requests_per_second: Annotated[
        float | None, typer.Option(metavar="R", help="Requests that arrive in a second.")
    ] = None,
    input_tokens: Annotated[
        int | None, typer.Option("--input", metavar="N", help="Tokens in, of one request.")
    ] = None,
    output_tokens: Annotated[
        int | None, typer.Option("--output", metavar="N", help="Tokens out, of one request.")
    ] = None,
    cache_hit: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Of the tokens in, found in the prefix cache: 0.4.")
    ] = None,
    adapters: Annotated[int, typer.Option(metavar="N", help="LoRA adapters in use.")] = 0,
    tier: Annotated[
        str | None, typer.Option(metavar="TIER", help="The promise to keep; default: the template's.")
    ] = None,
    ttft_ms: Annotated[
        float | None, typer.Option(metavar="MS", help="Instead of a tier, with --tpot-ms.")
    ] = None,
    tpot_ms: Annotated[
        float | None, typer.Option(metavar="MS", help="Instead of a tier, with --ttft-ms.")
    ] = None,
    headroom: Annotated[
        float, typer.Option(metavar="FACTOR", help="By which there is to be more than the load takes.")
    ] = 1.0,
    stack: Annotated[
        str | None, typer.Option(metavar="STACK", help="Whose machines and prices; default: the catalog's.")
    ] = None,
    traffic: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A log of requests, instead of a rate and lengths; - is standard input."
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(metavar="SPEC", help="Put the answer into this endpoint's file: stacks/prod/chat.yaml."),
    ] = None,
    team: Annotated[
        str | None, typer.Option(metavar="TEAM", help="With --write, of a new file: who owns the endpoint.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the calculator as a page that needs no server and no network."
        ),
    ] = None,
    as_of: AsOf = None,
    output: Annotated[SizeFormat, typer.Option("--format", help="How to print.")] = SizeFormat.TABLE,
) -> None:
    """Size a load in units, GPUs, machines and money, for every tier or every template.

    Every number says how it came to be and how far off it may be; exit code 1 where nothing keeps the
    promise.
    """
    wanted = Wanted(
        requests_per_second=requests_per_second,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_hit=cache_hit,
        adapters=adapters,
        tier=tier,
        ttft_ms=ttft_ms,
        tpot_ms=tpot_ms,
        headroom=headroom,
        from_log=traffic is not None,
    )
    if html is not None:
        _page(html, root, model, template, stack, wanted, alone=traffic is None and write is None)
        return
    target = _target(root, write, team, stack) if write else None
    stack = target.stack if target else stack
    question, logged = read_question(root, model, template, stack, wanted, traffic)
    try:
        found, log = _answer_log(question, logged) if logged else (answer(question), None)
    except CannotError as error:
        fail(str(error))
    if question.project.problems:
        fail_with(SpecError(question.project.problems))
    if target:
        _write(target, found, log, team, day_of(root, target.stack, as_of))
    words = _words(log, found.currency) if log else None
    if output is SizeFormat.JSON:
        print(document(found, words))
    elif output is SizeFormat.MARKDOWN:
        print(markdown(found, words), end="")
    else:
        print_tables(found, words)


def _page(
    file: Path,
    root: Path,
    model: str | None,
    template: str | None,
    stack: str | None,
    wanted: Wanted,
    *,
    alone: bool,
) -> None:
    from infra.cli.size_page import size_page  # noqa: PLC0415 - only the page needs it

    complaints = [*wrong_promise(wanted)]
    if not alone:
        complaints.append("--html: goes with neither --traffic nor --write; size once more for them")
    for complaint in complaints:
        typer.echo(f"modelunits: {complaint}", err=True)
    if complaints:
        raise typer.Exit(1)
    size_page(file, root, model, template, stack, wanted)


def _answer_log(question: Question, logged: "LoggedLoad") -> "tuple[Answer, LogAnswer]":
    from infra.cli.size_traffic import answer_log  # noqa: PLC0415 - only logs need it

    return answer_log(question, logged)


def _words(log: "LogAnswer", currency: str) -> LogWords:
    from infra.cli.size_log import log_words  # noqa: PLC0415 - only logs need it

    return log_words(log, currency)


def _target(root: Path, path: Path, team: str | None, stack: str | None) -> Target:
    """Return the file to write, or end the command."""
    try:
        target = target_of(root, path)
    except RefusedError as error:
        fail(str(error))
    if stack is not None and stack != target.stack:
        fail(f"--stack: {target.file} is of stack {target.stack}, got {stack}; leave it out")
    if not target.exists and team is None:
        fail(f"--write: {target.file} is new, so --team is needed: the team that owns it")
    return target


def _write(target: Target, found: Answer, log: "LogAnswer | None", team: str | None, day: date) -> None:
    """Write the answer, or end the command with what speaks against it."""
    one = found.chosen.alternative
    bought = Bought(
        model=found.model,
        template=one.template,
        tier=one.tier,
        ttft_ms=one.promise.ttft_ms,
        tpot_ms=one.promise.tpot_ms,
        units=one.sized.units if one.sized else 0,
        step_units=one.offer.units_per_step,
        reserved_units=log.size.commitment.reserved_units if log and log.size.commitment else None,
        team=team,
    )
    try:
        for said in write_answer(target, bought, day):
            typer.echo(f"modelunits: {said}", err=True)
    except RefusedError as error:
        fail(str(error))
    except SpecError as error:
        typer.echo(
            f"modelunits: --write: nothing written; with the answer, {target.file} would be:", err=True
        )
        fail_with(error)
