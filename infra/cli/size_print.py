"""Print the answer of `modelunits size`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from os import environ

from rich.console import Console
from rich.table import Table as TerminalTable
from rich.text import Text

from infra.cli.size_answer import Answer
from infra.cli.size_json import size_document
from infra.cli.size_tables import size_tables
from infra.cli.size_words import headline, notes, sentences
from infra.cli.terminal import terminal
from infra.plan.explain import markdown_table
from infra.plan.tables import Table

PIPE_WIDTH = 100
"""Columns where there is no terminal, and COLUMNS says nothing; the tables are made for so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWords:
    """What is said of a log beside the answer."""

    cheapest: tuple[str, ...]
    """What to reserve, in a sentence; none where prices are not known."""
    sentences: tuple[str, ...]
    plot: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    document: Mapping[str, object]


def print_tables(answer: Answer, log: LogWords | None) -> None:
    """Print the answer for a terminal."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in environ:
        console = Console(width=PIPE_WIDTH)
    console.print(Text(headline(answer), style="bold"))
    for warning in answer.warnings:
        console.print(Text(f"Warning: {warning}", style="yellow"))
    for sentence in _sentences(answer, log):
        console.print(Text(sentence))
    console.print()
    if log:
        console.print(Text(log.plot), soft_wrap=True, end="\n\n")
    for table in _tables(answer, log):
        console.print(_unbroken(table), end="\n\n", crop=False)
    for note in _notes(answer, log):
        console.print(Text(note))


def _unbroken(table: Table) -> TerminalTable:
    """Return a table for a terminal that would rather be too wide than break a number."""
    shown = terminal(table)
    for place, column in enumerate(table.columns):
        if column.numeric:
            parts = (*column.heading.split(), *(row[place] for row in table.rows))
            shown.columns[place].min_width = max(map(len, parts))
    return shown


def markdown(answer: Answer, log: LogWords | None) -> str:
    """Return the answer as Markdown."""
    drawn = (f"```\n{log.plot}\n```",) if log else ()
    tables = (f"**{table.title}**\n\n{markdown_table(table)}" for table in _tables(answer, log))
    warned = (f"**Warning:** {warning}" for warning in answer.warnings)
    listed = "\n".join(f"- {note}" for note in _notes(answer, log))
    parts = (f"### {headline(answer)}", *warned, *_sentences(answer, log), *drawn, *tables, listed)
    return "\n\n".join(parts) + "\n"


def document(answer: Answer, log: LogWords | None) -> str:
    """Return the answer as JSON."""
    return json.dumps({**size_document(answer), **({"traffic": log.document} if log else {})}, indent=2)


def _sentences(answer: Answer, log: LogWords | None) -> tuple[str, ...]:
    said = tuple(sentences(answer))
    return (*log.cheapest, *said, *log.sentences) if log else said


def _tables(answer: Answer, log: LogWords | None) -> tuple[Table, ...]:
    return (*(log.tables if log else ()), *size_tables(answer))


def _notes(answer: Answer, log: LogWords | None) -> tuple[str, ...]:
    return (*notes(answer), *(log.notes if log else ()))
