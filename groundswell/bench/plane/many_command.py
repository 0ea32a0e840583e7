"""The command of the scenario that needs engines."""

from pathlib import Path

import click

from groundswell.bench import machine
from groundswell.bench.cluster import migrated_cluster
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.options import out_option, publish
from groundswell.bench.plane import many as many_scenario
from groundswell.bench.run import prepared
from groundswell.bench.scenario_command import plane_option


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
    about = machine.describe()
    workers = workers or max(2, many_scenario.workers_for(viewers))
    if viewers > workers * many_scenario.A_WORKER:
        needed = many_scenario.workers_for(viewers)
        raise click.UsageError(f"{viewers:,} viewers need {needed} workers: 20,000 files a process")
    try:
        with prepared(seconds=comments * many_scenario.GAP) as run, migrated_cluster() as cluster:
            rows, details = many_scenario.measure(
                run, cluster, viewers=viewers, workers=workers, comments=comments, plane=plane
            )
    except ToolFailed as error:
        raise click.ClickException(str(error)) from error
    settings = {"viewers": viewers, "workers": workers, "comments": comments, "plane": plane}
    publish("many", out, about, settings, rows, details)
