"""The command: a subcommand for each scenario. Tables go to stdout, everything to a JSON file."""

import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from groundswell.bench import fanout as fanout_scenario
from groundswell.bench import ingest as ingest_scenario
from groundswell.bench import machine, report
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.run import WRITERS, prepared

out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("bench-results"),
    show_default=True,
    help="Folder of the JSON file.",
)
seconds_option = click.option(
    "--seconds",
    type=click.FloatRange(0.1, 120),
    default=10,
    show_default=True,
    help="Time of each measurement.",
)


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
    _write("ingest", out, about, settings, rows, details)
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
@out_option
def fanout(
    seconds: float, viewers: int, rates: list[float], servers: list[str], tick_ms: float, out: Path
) -> None:
    """Deliveries a second and their latency in one large room, beside limit and peer."""
    settings = {
        "seconds": seconds,
        "viewers": viewers,
        "rates": rates,
        "tick_ms": tick_ms,
        "groundswell": fanout_scenario.GROUNDSWELL_ENV,
    }
    about = machine.describe()
    try:
        with prepared(seconds=seconds) as run:
            rows, details = fanout_scenario.measure(
                run, viewers=viewers, rates=rates, servers=servers, tick_ms=tick_ms
            )
    except ToolFailed as error:
        raise click.ClickException(str(error)) from error
    _write("fanout", out, about, settings, rows, details)


def _write(
    scenario: str,
    out: Path,
    about: Mapping[str, object],
    settings: Mapping[str, object],
    rows: Sequence[report.Row],
    details: Sequence[report.Row],
) -> None:
    path = report.save(out, scenario, machine=about, settings=settings, rows=rows, details=details)
    click.echo(f"{about['time']} {about['cpu']}, {about['cores']} cores, commit {about['commit']}")
    click.echo(report.table(rows))
    if any("others" in str(row["bounded by"]) for row in rows):
        click.echo("others filled a core meanwhile: run it again on a quiet machine")
    click.echo(f"written to {path}")
