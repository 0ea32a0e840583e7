"""Rows of figures as a table to read, and who bounds a figure."""

from collections.abc import Mapping, Sequence

from groundswell.bench.machine import CoreUse

FULL = 90.0  # percent of a core from which on a process counts as the bound
Row = Mapping[str, object]


def bound(*, server: CoreUse, client: CoreUse) -> str:
    """Tell what limited a figure: `client` means that the server could have done more.

    A core that somebody else filled up is named too: such a figure says little.

    >>> bound(server=CoreUse(97, 0), client=CoreUse(50, 0))
    'server'
    >>> bound(server=CoreUse(60, 39), client=CoreUse(50, 0))
    'others on the server core'
    """
    bounds = []
    for name, use in (("server", server), ("client", client)):
        if use.ours > FULL:
            bounds.append(name)
        elif use.ours + use.others > FULL:
            bounds.append(f"others on the {name} core")
    return ", ".join(bounds)


def table(rows: Sequence[Row]) -> str:
    """Lay rows out as a Markdown table. Columns are the keys of the first row; None is `-`."""
    columns = list(rows[0])
    cells = [columns, *([cell(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def cell(value: object) -> str:
    """Return a figure with four digits, thousands apart; None is `-`."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{round(value, 6):.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
