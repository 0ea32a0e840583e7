"""`groundswell bench compare`: what differs between two results."""

from collections import Counter
from pathlib import Path

import click

from groundswell.bench.compare import WITHIN, NotComparable
from groundswell.bench.compare import compare as compared
from groundswell.bench.results import Result, ResultUnusable, load_all
from groundswell.bench.terminal import show

_path = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("a", type=_path)
@click.argument("b", type=_path)
@click.option("--anyway", is_flag=True, help="Compare although the machines differ.")
def compare(a: Path, b: Path, *, anyway: bool) -> None:
    """Say what is faster and slower in B than in A: two files, or two folders of files.

    Several files of a scenario in a folder are its rounds. Scenario, settings and machine must be
    the same. A difference is within noise while rounds overlap, or below 5 % (10 % where a side has
    fewer than three rounds).
    """
    try:
        sides = load_all([a]), load_all([b])
        found = compared(*sides, anyway=anyway)
    except (ResultUnusable, NotComparable) as error:
        raise click.ClickException(str(error)) from error
    for name, side in zip("AB", sides, strict=True):
        click.echo(f"{name}: {_about(side)}")
    differing_first = sorted(found.figures, key=lambda figure: figure.verdict == WITHIN)
    show([figure.row() for figure in differing_first])
    if not found.figures:
        click.echo("no figure is in both")
    for remark in found.remarks:
        click.echo(remark)
    counts = Counter(figure.verdict for figure in found.figures)
    click.echo("B: " + ", ".join(f"{count} {name}" for name, count in counts.most_common()))


def _about(results: list[Result]) -> str:
    commits = dict.fromkeys(str(one.machine.get("commit")) for one in results)
    times = sorted(str(one.machine.get("time")) for one in results)
    return f"commit {', '.join(commits)}, {len(results)} files, from {times[0]}"
