"""Print the answer of `modelunits size`."""

import json
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from infra.cli.plan import terminal
from infra.cli.size_answer import Answer
from infra.cli.size_json import size_document
from infra.cli.size_log import log_document, log_notes, log_plot, log_sentences, log_tables
from infra.cli.size_tables import headline, notes, sentences, size_tables
from infra.cli.size_traffic import LogAnswer
from infra.plan.explain import markdown_table
from infra.plan.tables import Table

PIPE_WIDTH = 100
"""Columns where there is no terminal; the tables are made for so many."""


def print_tables(answer: Answer, log: LogAnswer | None) -> None:
    """Print the answer for a terminal."""
    console = Console()
    console = console if console.is_terminal else Console(width=PIPE_WIDTH)
    console.print(Text(headline(answer), style="bold"))
    for sentence in _sentences(answer, log):
        console.print(Text(sentence))
    console.print()
    if log:
        console.print(Text(log_plot(log)), soft_wrap=True, end="\n\n")
    for table in _tables(answer, log):
        console.print(terminal(table), end="\n\n")
    for note in _notes(answer, log):
        console.print(Text(note))


def markdown(answer: Answer, log: LogAnswer | None) -> str:
    """Return the answer as Markdown."""
    drawn = (f"```\n{log_plot(log)}\n```",) if log else ()
    tables = (f"**{table.title}**\n\n{markdown_table(table)}" for table in _tables(answer, log))
    listed = "\n".join(f"- {note}" for note in _notes(answer, log))
    return "\n\n".join((f"### {headline(answer)}", *_sentences(answer, log), *drawn, *tables, listed)) + "\n"


def document(answer: Answer, log: LogAnswer | None) -> str:
    """Return the answer as JSON."""
    return json.dumps({**size_document(answer), **({"traffic": log_document(log)} if log else {})}, indent=2)


def _sentences(answer: Answer, log: LogAnswer | None) -> Iterator[str]:
    if log and (bought := log.size.commitment):
        yield (
            f"In the neediest minute. Cheapest: reserve {bought.reserved_units} units, and let up to "
            f"{bought.hourly_max_units} come by the hour: {bought.monthly_cost:,.0f} "
            f"{answer.currency} a month."
        )
    yield from sentences(answer)
    if log:
        yield from log_sentences(log)


def _tables(answer: Answer, log: LogAnswer | None) -> Iterator[Table]:
    if log:
        yield from log_tables(log, answer.currency)
    yield from size_tables(answer)


def _notes(answer: Answer, log: LogAnswer | None) -> Iterator[str]:
    yield from notes(answer)
    if log:
        yield from log_notes(log)
