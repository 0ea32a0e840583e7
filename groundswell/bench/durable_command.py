"""The commands that measure the durable path of a cluster."""

import os
import shutil
from pathlib import Path
from typing import Any

import click

from groundswell.bench import durable
from groundswell.bench import event as event_scenario
from groundswell.bench import tally as tally_scenario
from groundswell.bench.measuring import measuring
from groundswell.bench.native_tools import compile_tools, default_cache
from groundswell.bench.options import out_option, rounds_option
from groundswell.bench.tally_load import COMMENTS, USERS
from groundswell.bench.terminal import show


def cores() -> tuple[int | None, int | None]:
    """Return the core of what is measured and the engines' core; None: nothing can be pinned."""
    allowed = sorted(os.sched_getaffinity(0))
    pinned = len(allowed) > 1 and shutil.which("taskset") is not None
    return (allowed[0], allowed[1]) if pinned else (None, None)


@click.command("cluster-persist")
@click.option("--comments", type=click.IntRange(100, 2_000_000), default=200_000, show_default=True)
@click.option("--videos", type=click.IntRange(1, 10_000), default=32, show_default=True)
@rounds_option
@out_option
def persist(comments: int, videos: int, rounds: int, out: Path) -> None:
    """Comments stored in Cassandra a second, beside the driver writing the same rows."""
    core, engines_core = cores()
    settings = {"comments": comments, "videos": videos, "rounds": rounds}
    with measuring("cluster-persist", out, settings) as going:
        durable.measure(
            going.journal,
            comments=comments,
            videos=videos,
            rounds=rounds,
            core=core,
            engines_core=engines_core,
        )


@click.command("cluster-tally")
@click.option(
    "--reactions", type=click.IntRange(100, 2_000_000), default=300_000, show_default=True
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of who reacts to what.")
@out_option
def tally(reactions: int, seed: int, out: Path) -> None:
    """Reactions counted a second, alone and into Cassandra; exit status 1 if a count is wrong."""
    core, engines_core = cores()
    settings = {"reactions": reactions, "seed": seed, "comments": COMMENTS, "users": USERS}
    with measuring("cluster-tally", out, settings) as going:
        _, found = tally_scenario.measure(
            going.journal, reactions=reactions, seed=seed, core=core, engines_core=engines_core
        )
        going.details = [found]
    for name, value in found.items():
        click.echo(f"{name}: {value:,}")
    if any(found[name] for name in tally_scenario.MUST_BE_ZERO):
        raise click.ClickException("the totals are not exact")


@click.command("event")
@click.option(
    "--seconds", type=click.FloatRange(10, 3600), default=300, show_default=True, help="How long."
)
@click.option("--comments", type=click.FloatRange(1, 5000), default=167, show_default=True)
@click.option("--reactions", type=click.FloatRange(1, 20_000), default=1667, show_default=True)
@click.option("--spike", type=click.FloatRange(1, 5000), default=2000, show_default=True)
@click.option("--spike-seconds", type=click.FloatRange(0.1, 60), default=5, show_default=True)
@click.option("--viewers", type=click.IntRange(1, 4000), default=50, show_default=True)
@click.option("--bucket-bits", type=click.IntRange(1, 17), default=10, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@out_option
def event(out: Path, **size: Any) -> None:
    """A broadcast through split roles; exit status 1 if anything is lost, doubled or wrong.

    Rates are per second; --viewers is for each of two videos on each of two brokers.
    """
    with measuring("event", out, size) as going:
        going.journal.start(legs=1)
        tools = compile_tools(default_cache())
        going.journal.begin(f"a broadcast of {size['seconds']:g} s")
        findings, cpu = event_scenario.run(tools, event_scenario.Size(**size))
        going.rows = [{"what": name, "figure": value} for name, value in findings.figures.items()]
        going.details = [*cpu, {"violations": findings.violations}]
    show(cpu)
    if findings.violations:
        raise click.ClickException("; ".join(findings.violations))
