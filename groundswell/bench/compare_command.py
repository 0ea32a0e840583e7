"""`groundswell bench compare`: what differs between two results, or two commits."""

import shlex
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from groundswell.bench.commits import built, measure
from groundswell.bench.compare import WITHIN, NotComparable
from groundswell.bench.compare import compare as compared
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.options import out_option
from groundswell.bench.results import Result, ResultUnusable, load_all
from groundswell.bench.terminal import show


@click.command()
@click.argument("a")
@click.argument("b")
@click.argument("scenarios", nargs=-1)
@click.option("--anyway", is_flag=True, help="Compare although the machines differ.")
@click.option(
    "--commits", is_flag=True, help="A and B are revisions: build both, and measure them in turn."
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 20),
    default=3,
    show_default=True,
    help="How often each of two revisions is measured.",
)
@out_option
def compare(
    a: str,
    b: str,
    scenarios: tuple[str, ...],
    *,
    anyway: bool,
    commits: bool,
    rounds: int,
    out: Path,
) -> None:
    """Say what is faster and slower in B than in A: two files, or two folders of files.

    Several files of a scenario in a folder are its rounds. Scenario, settings and machine must be
    the same. A difference is within noise while rounds overlap or are as far from each other, and
    below 5 % (10 % where a side has fewer than three rounds).

    With --commits the scenarios come behind A and B, each with its options in quotes: main HEAD
    "fanout --rates 100" joins.
    """
    if commits != bool(scenarios):
        raise click.UsageError("scenarios belong to --commits, and --commits needs one")
    try:
        if commits:
            paths = _measured(a, b, [shlex.split(one) for one in scenarios], rounds, out)
        else:
            paths = Path(a), Path(b)
        _tell([load_all([path]) for path in paths], anyway=anyway)
    except (ResultUnusable, NotComparable, ToolFailed) as error:
        raise click.ClickException(str(error)) from error


def _measured(
    a: str, b: str, scenarios: Sequence[Sequence[str]], rounds: int, out: Path
) -> tuple[Path, Path]:
    """Measure both revisions and return the folders of their results."""

    def tell(text: str) -> None:
        click.echo(text, err=True)

    folder = out / time.strftime("commits-%Y%m%dT%H%M%SZ", time.gmtime())
    folders = folder / "A", folder / "B"
    with ExitStack() as stack:
        programs = []
        for revision in (a, b):
            tell(f"building {revision}")
            programs.append(stack.enter_context(built(revision)))
        measure(programs, scenarios, rounds=rounds, folders=folders, tell=tell)
    return folders


def _tell(sides: Sequence[list[Result]], *, anyway: bool) -> None:
    found = compared(*sides, anyway=anyway)
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
