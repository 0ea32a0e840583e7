"""`groundswell bench report`: results as one page."""

from pathlib import Path

import click

from groundswell.bench.page.document import document
from groundswell.bench.results import ResultUnusable, load_all


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="The page.",
)
def report(results: tuple[Path, ...], out: Path) -> None:
    """Make one HTML page of result files, or of all in a folder.

    It holds everything itself: send it to somebody, open it from the disk.
    """
    try:
        found = load_all(results)
    except ResultUnusable as error:
        raise click.ClickException(str(error)) from error
    out.write_text(document(found), encoding="utf-8")
    click.echo(f"{len(found)} results are in {out}")
