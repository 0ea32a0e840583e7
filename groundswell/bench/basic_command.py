"""The commands `ingest` and `deflate`, which tell and take other things than a room's scenarios."""

from pathlib import Path

import click

from groundswell.bench import deflate as deflate_scenario
from groundswell.bench import ingest as ingest_scenario
from groundswell.bench.measuring import measuring
from groundswell.bench.options import out_option, rounds_option, seconds_option
from groundswell.bench.run import WRITERS, prepared


@click.command()
@seconds_option(10)
@rounds_option
@click.option("--writers", type=click.IntRange(1, 1000), default=WRITERS, show_default=True)
@out_option
def ingest(seconds: float, rounds: int, writers: int, out: Path) -> None:
    """Comments accepted a second, beside a bare aiohttp handler."""
    settings = {
        "seconds": seconds,
        "rounds": rounds,
        "writers": writers,
        "groundswell": ingest_scenario.GROUNDSWELL_ENV,
    }
    with (
        measuring("ingest", out, settings) as going,
        prepared(seconds=seconds, writers=writers, journal=going.journal) as run,
    ):
        rows, _ = ingest_scenario.measure(run, rounds=rounds)
    click.echo(f"posts a second, groundswell / bare_post: {ingest_scenario.ratio(rows):.2f}")
    cost = ingest_scenario.ratio(rows, "CPU us/post")
    click.echo(f"CPU a post, groundswell / bare_post: {cost:.2f}")


@click.command()
@click.option("--rounds", type=click.IntRange(1, 1000), default=20, show_default=True)
@out_option
def deflate(rounds: int, out: Path) -> None:
    """Bytes and CPU of one frame, plain and deflated."""
    with measuring("deflate", out, {"rounds": rounds}) as going:
        going.rows = deflate_scenario.measure(rounds=rounds)
