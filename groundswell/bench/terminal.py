"""Tables on standard output: drawn for a terminal, Markdown to copy for everything else."""

from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from groundswell.bench import rounds
from groundswell.bench.report import Row, cell, table

_GAP = 3  # columns of a terminal between two cells


def show(rows: Sequence[Row], *, title: str = "", console: Console | None = None) -> None:
    """Print a table; one that is too wide for the terminal in parts, with its keys in each."""
    console = console or Console(highlight=False)
    if not rows:
        return
    if not console.is_terminal:
        click.echo(f"{title}\n{table(rows)}" if title else table(rows))
        return
    for number, columns in enumerate(parts(rows, console.width)):
        drawn = Table(title=title if not number else None, title_justify="left", box=None)
        for column in columns:
            text = any(isinstance(row.get(column), str) for row in rows)
            drawn.add_column(column, justify="left" if text else "right", overflow="fold")
        for row in rows:
            drawn.add_row(*(_drawn(column, row.get(column)) for column in columns))
        console.print(drawn, "")


def parts(rows: Sequence[Row], width: int) -> list[list[str]]:
    """Return the columns of each part: keys first, then as many figures as fit; one at least."""
    widths = {
        column: _GAP + max(len(column), *(len(cell(row.get(column))) for row in rows))
        for column in rows[0]
    }
    keys = [column for column in widths if column in rounds.KEYS or column == "round"]
    room = width - sum(widths[key] for key in keys)
    found: list[list[str]] = [[]]
    for column in (column for column in widths if column not in keys):
        if found[-1] and sum(widths[one] for one in [*found[-1], column]) > room:
            found.append([])
        found[-1].append(column)
    return [[*keys, *columns] for columns in found]


def _drawn(column: str, value: object) -> Text:
    style = ""
    if column == "bounded by" or value == "NO":
        style = "yellow"
    elif value == "yes":
        style = "green"
    return Text(cell(value), style=style)
