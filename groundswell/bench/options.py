"""What every command of the bench takes, and how it tells its results."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from groundswell.bench import report

out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("bench-results"),
    show_default=True,
    help="Folder of the JSON file.",
)


def publish(
    scenario: str,
    out: Path,
    about: Mapping[str, object],
    settings: Mapping[str, object],
    rows: Sequence[report.Row],
    details: Sequence[report.Row],
) -> None:
    """Print the table and write the JSON file; `about` is `machine.describe()` before the run."""
    path = report.save(out, scenario, machine=about, settings=settings, rows=rows, details=details)
    click.echo(f"{about['time']} {about['cpu']}, {about['cores']} cores, commit {about['commit']}")
    click.echo(report.table(rows))
    if any("others" in str(row["bounded by"]) for row in rows):
        click.echo("others filled a core meanwhile: run it again on a quiet machine")
    click.echo(f"written to {path}")
