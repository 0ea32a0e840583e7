"""The command: a subcommand for each scenario. Tables go to stdout, everything to a JSON file."""

import signal
import sys
from pathlib import Path

import click

from groundswell.bench import cluster_command, durable_command, machine, scenario_command
from groundswell.bench import deflate as deflate_scenario
from groundswell.bench import ingest as ingest_scenario
from groundswell.bench.options import out_option, publish
from groundswell.bench.plane.everything import everything
from groundswell.bench.plane.many_command import many
from groundswell.bench.run import WRITERS
from groundswell.bench.scenario_command import publish_measured, rounds_option, seconds_option


@click.group()
@click.pass_context
def bench(context: click.Context) -> None:
    """Measure servers on this machine: the server on one core, the clients on another."""
    # Ended from outside, the bench still ends the servers that it started.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    context.call_on_close(lambda: signal.signal(signal.SIGTERM, before))


@bench.command()
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
    rows = publish_measured(
        "ingest",
        out,
        settings,
        lambda run: ingest_scenario.measure(run, rounds=rounds),
        seconds=seconds,
        writers=writers,
    )
    click.echo(f"posts a second, groundswell / bare_post: {ingest_scenario.ratio(rows):.2f}")
    cost = ingest_scenario.ratio(rows, "CPU us/post")
    click.echo(f"CPU a post, groundswell / bare_post: {cost:.2f}")


@bench.command()
@click.option("--rounds", type=click.IntRange(1, 1000), default=20, show_default=True)
@out_option
def deflate(rounds: int, out: Path) -> None:
    """Bytes and CPU of one frame, plain and deflated."""
    about = machine.describe()
    rows = deflate_scenario.measure(rounds=rounds)
    publish("deflate", out, about, {"rounds": rounds}, rows, [])


for _command in (
    *scenario_command.COMMANDS,
    everything,
    many,
    *cluster_command.COMMANDS,
    *durable_command.COMMANDS,
):
    bench.add_command(_command)
