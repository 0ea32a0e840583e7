"""The command of the scenario that needs engines."""

from pathlib import Path

import click

from groundswell.bench.cluster import migrated_cluster
from groundswell.bench.measuring import measuring
from groundswell.bench.options import out_option, plane_option
from groundswell.bench.plane import many as many_scenario
from groundswell.bench.run import prepared


@click.command()
@click.option(
    "--viewers",
    type=click.IntRange(1, 1_000_000),
    default=150_000,
    show_default=True,
    help="In all; try 40000 first.",
)
@click.option(
    "--workers",
    type=click.IntRange(2, 256),
    help="Broker processes [default: one for 16,000 viewers, at least 2]",
)
@click.option(
    "--comments",
    type=click.IntRange(1, 100),
    default=6,
    show_default=True,
    help="One every 5 s.",
)
@plane_option
@out_option
def many(viewers: int, workers: int | None, comments: int, plane: str, out: Path) -> None:
    """150,000 viewers over the workers of one broker, through Kafka."""
    workers = workers or max(2, many_scenario.workers_for(viewers))
    if viewers > workers * many_scenario.A_WORKER:
        needed = many_scenario.workers_for(viewers)
        raise click.UsageError(f"{viewers:,} viewers need {needed} workers: 20,000 files a process")
    settings = {"viewers": viewers, "workers": workers, "comments": comments, "plane": plane}
    seconds = comments * many_scenario.GAP
    with (
        measuring("many", out, settings) as going,
        prepared(seconds=seconds, journal=going.journal) as run,
        migrated_cluster() as cluster,
    ):
        many_scenario.measure(
            run, cluster, viewers=viewers, workers=workers, comments=comments, plane=plane
        )
