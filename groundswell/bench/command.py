"""The command: a subcommand for each scenario. Tables go to stdout, everything to a JSON file."""

import signal
import sys
from pathlib import Path

import click

from groundswell.bench import cluster_command, durable_command, machine
from groundswell.bench import deflate as deflate_scenario
from groundswell.bench import fanout as fanout_scenario
from groundswell.bench import ingest as ingest_scenario
from groundswell.bench.capacity.command import calibrate
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.options import out_option, publish, seconds_option
from groundswell.bench.plane import command as plane_command
from groundswell.bench.plane.many_command import many
from groundswell.bench.run import WRITERS, prepared


@click.group()
@click.pass_context
def bench(context: click.Context) -> None:
    """Measure servers on this machine: the server on one core, the clients on another."""
    # Ended from outside, the bench still ends the servers that it started.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    context.call_on_close(lambda: signal.signal(signal.SIGTERM, before))


@bench.command()
@seconds_option
@click.option("--rounds", type=click.IntRange(1, 10), default=2, show_default=True)
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
    about = machine.describe()
    try:
        with prepared(seconds=seconds, writers=writers) as run:
            rows, details = ingest_scenario.measure(run, rounds=rounds)
    except ToolFailed as error:
        raise click.ClickException(str(error)) from error
    publish("ingest", out, about, settings, rows, details)
    click.echo(f"posts a second, groundswell / bare_post: {ingest_scenario.ratio(rows):.2f}")
    cost = ingest_scenario.ratio(rows, "CPU us/post")
    click.echo(f"CPU a post, groundswell / bare_post: {cost:.2f}")


def _rates(_context: click.Context, _parameter: click.Parameter, value: str) -> list[float]:
    try:
        rates = [float(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter("numbers with commas between them, such as 1,10,100") from None
    if min(rates) <= 0:
        raise click.BadParameter("a rate is above 0")
    return rates


def _servers(_context: click.Context, _parameter: click.Parameter, value: str) -> list[str]:
    servers = value.split(",")
    if not set(servers) <= set(fanout_scenario.SERVERS):
        raise click.BadParameter(f"choose from {', '.join(fanout_scenario.SERVERS)}")
    return servers


@bench.command()
@seconds_option
@click.option("--viewers", type=click.IntRange(1, 19000), default=5000, show_default=True)
@click.option("--rates", default="1,10,100", show_default=True, callback=_rates)
@click.option(
    "--servers", default=",".join(fanout_scenario.SERVERS), show_default=True, callback=_servers
)
@click.option(
    "--tick-ms",
    type=click.FloatRange(0, 1000),
    default=100,
    show_default=True,
    help="Least time between two passes of the limit.",
)
@click.option(
    "--plane",
    type=click.Choice(["asyncio", "native"]),
    default="asyncio",
    show_default=True,
    help="What moves groundswell's frames to sockets.",
)
@out_option
def fanout(
    seconds: float,
    viewers: int,
    rates: list[float],
    servers: list[str],
    tick_ms: float,
    plane: str,
    out: Path,
) -> None:
    """Deliveries a second and their latency in one large room, beside limit and peer."""
    settings = {
        "seconds": seconds,
        "viewers": viewers,
        "rates": rates,
        "tick_ms": tick_ms,
        "groundswell": fanout_scenario.environment(plane),
    }
    about = machine.describe()
    try:
        with prepared(seconds=seconds) as run:
            rows, details = fanout_scenario.measure(
                run, viewers=viewers, rates=rates, servers=servers, tick_ms=tick_ms, plane=plane
            )
    except ToolFailed as error:
        raise click.ClickException(str(error)) from error
    publish("fanout", out, about, settings, rows, details)


@bench.command()
@click.option("--rounds", type=click.IntRange(1, 1000), default=20, show_default=True)
@out_option
def deflate(rounds: int, out: Path) -> None:
    """Bytes and CPU of one frame, plain and deflated."""
    about = machine.describe()
    rows = deflate_scenario.measure(rounds=rounds)
    publish("deflate", out, about, {"rounds": rounds}, rows, [])


for _command in (
    *plane_command.COMMANDS,
    many,
    calibrate,
    *cluster_command.COMMANDS,
    *durable_command.COMMANDS,
):
    bench.add_command(_command)
