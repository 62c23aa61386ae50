"""Tables on a terminal."""

from rich import box
from rich.table import Table as TerminalTable
from rich.text import Text

from infra.plan.tables import Table


def terminal(table: Table) -> TerminalTable:
    """Return a table for a terminal."""
    shown = TerminalTable(
        title=Text(table.title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    for column in table.columns:
        shown.add_column(column.heading, justify="right" if column.numeric else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*map(Text, row))
    return shown
