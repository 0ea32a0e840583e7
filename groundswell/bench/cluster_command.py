"""The commands that measure split roles on the engines that the environment names."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from groundswell.bench import (
    cluster_ingest,
    cluster_latency,
    cluster_page,
    cluster_reactions,
)
from groundswell.bench.cluster import Cluster, migrated_cluster
from groundswell.bench.measuring import measuring
from groundswell.bench.options import out_option, rounds_option, seconds_option
from groundswell.bench.run import WRITERS, Run, prepared

SHORT_TICK = 0.002  # seconds: what a room's shortest tick costs and brings


@contextmanager
def _running(
    scenario: str, out: Path, settings: Mapping[str, object], *, seconds: float
) -> Iterator[tuple[Run, Cluster]]:
    with (
        measuring(scenario, out, settings) as going,
        prepared(seconds=seconds, journal=going.journal) as run,
        migrated_cluster() as cluster,
    ):
        yield run, cluster


@click.command("cluster-ingest")
@seconds_option(10)
@rounds_option
@click.option(
    "--rate",
    type=click.FloatRange(1, 20_000),
    default=4000,
    show_default=True,
    help="Posts a second of the open loop.",
)
@out_option
def ingest(seconds: float, rounds: int, rate: float, out: Path) -> None:
    """Comments accepted a second over HTTP into Kafka."""
    settings = {"seconds": seconds, "rounds": rounds, "rate": rate, "writers": WRITERS}
    with _running("cluster-ingest", out, settings, seconds=seconds) as (run, cluster):
        rows, _ = cluster_ingest.measure(run, cluster, rounds=rounds, rates=(0, rate))
    for column in ("posts/s", "CPU us/post"):
        for leg in (cluster_ingest.INGEST, cluster_ingest.INGEST_CHECKED):
            value = cluster_ingest.ratio(rows, leg.name, column)
            click.echo(f"{column}, {leg.name} / bare_post: {value:.2f}")


@click.command("cluster-reactions")
@seconds_option(10)
@rounds_option
@click.option("--sockets", type=click.IntRange(1, 19_000), default=2000, show_default=True)
@click.option(
    "--rate",
    type=click.FloatRange(1, 100_000),
    default=8000,
    show_default=True,
    help="Reactions a second of the open loop.",
)
@click.option(
    "--window",
    type=click.IntRange(1, 64),
    default=3,
    show_default=True,
    help="Reactions of a socket that are unanswered at a time, in the closed loop.",
)
@out_option
def reactions(
    seconds: float, rounds: int, sockets: int, rate: float, window: int, out: Path
) -> None:
    """Reactions accepted a second over sockets, through a broker into Kafka."""
    loads = (cluster_reactions.Load(rate), cluster_reactions.Load(0, window))
    settings = {
        "seconds": seconds,
        "rounds": rounds,
        "sockets": sockets,
        "loads": [str(load) for load in loads],
        "gate": cluster_reactions.GATE,
    }
    with _running("cluster-reactions", out, settings, seconds=seconds) as (run, cluster):
        cluster_reactions.measure(run, cluster, rounds=rounds, sockets=sockets, loads=loads)


@click.command("cluster-latency")
@seconds_option(10)
@rounds_option
@click.option(
    "--rate",
    type=click.FloatRange(1, 20_000),
    default=3000,
    show_default=True,
    help="Comments a second of half load: about half of what cluster-ingest reaches.",
)
@click.option(
    "--idle-seconds",
    type=click.FloatRange(1, 120),
    default=40,
    show_default=True,
    help="Time of the idle measurement, at 5 comments a second.",
)
@click.option("--viewers", type=click.IntRange(1, 19_000), default=10, show_default=True)
@out_option
def latency(
    seconds: float, rounds: int, rate: float, idle_seconds: float, viewers: int, out: Path
) -> None:
    """Time from a post to the screen, beside Kafka's own."""
    idle = cluster_latency.Leg(cluster_latency.IDLE, idle_seconds)
    half = cluster_latency.Leg(rate, seconds)
    legs = (idle, half, cluster_latency.Leg(rate, seconds, tick_min=SHORT_TICK))
    settings = {"legs": [(leg.rate, leg.seconds, leg.tick_min) for leg in legs], "viewers": viewers}
    with _running("cluster-latency", out, settings, seconds=seconds) as (run, cluster):
        cluster_latency.measure(run, cluster, rounds=rounds, legs=legs, viewers=viewers)


@click.command("cluster-page")
@seconds_option(10)
@rounds_option
@out_option
def page(seconds: float, rounds: int, out: Path) -> None:
    """One page of comments from a broker's memory, Redis and Cassandra."""
    settings = {"seconds": seconds, "rounds": rounds, "comments": cluster_page.COMMENTS}
    with _running("cluster-page", out, settings, seconds=seconds) as (run, cluster):
        cluster_page.measure(run, cluster, rounds=rounds, connections=(1, WRITERS))
