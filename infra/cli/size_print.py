"""Print the answer of `modelunits size`."""

from rich.console import Console
from rich.text import Text

from infra.cli.plan import terminal
from infra.cli.size_answer import Answer
from infra.cli.size_tables import headline, notes, sentences, size_tables
from infra.plan.explain import markdown_table

PIPE_WIDTH = 100
"""Columns where there is no terminal; the tables are made for so many."""


def print_tables(answer: Answer) -> None:
    """Print the answer for a terminal."""
    console = Console()
    console = console if console.is_terminal else Console(width=PIPE_WIDTH)
    console.print(Text(headline(answer), style="bold"))
    for sentence in sentences(answer):
        console.print(Text(sentence))
    console.print()
    for table in size_tables(answer):
        console.print(terminal(table), end="\n\n")
    for note in notes(answer):
        console.print(Text(note))


def markdown(answer: Answer) -> str:
    """Return the answer as Markdown."""
    tables = (f"**{table.title}**\n\n{markdown_table(table)}" for table in size_tables(answer))
    listed = "\n".join(f"- {note}" for note in notes(answer))
    return "\n\n".join((f"### {headline(answer)}", *sentences(answer), *tables, listed)) + "\n"
