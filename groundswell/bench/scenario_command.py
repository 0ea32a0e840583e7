"""The commands of the scenarios, made of their table, and options that several commands have."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from groundswell.bench import machine
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.options import out_option, publish
from groundswell.bench.peers import centrifugo as centrifugo_peer
from groundswell.bench.report import Row
from groundswell.bench.run import WRITERS, Run, prepared
from groundswell.bench.scenarios import SCENARIOS, Scenario, Size

Measured = tuple[Sequence[Row], Sequence[Row]]
Measure = Callable[[Run], Measured]
Option = Callable[[Any], Any]

plane_option = click.option(
    "--plane",
    type=click.Choice(["native", "asyncio"]),
    default="native",
    show_default=True,
    help="What moves groundswell's frames to sockets.",
)
rounds_option = click.option(
    "--rounds", type=click.IntRange(1, 10), default=2, show_default=True, help="Times of each leg."
)
centrifugo_option = click.option(
    "--centrifugo",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=centrifugo_peer.VARIABLE,
    help="The program Centrifugo, which is yours to build; without it that peer is skipped.",
)


def seconds_option(default: float) -> Option:
    """Return the option for how long each measurement takes."""
    return click.option(
        "--seconds",
        type=click.FloatRange(0.1, 280),
        default=default,
        show_default=True,
        help="Time of each measurement.",
    )


def publish_measured(
    name: str,
    out: Path,
    settings: Mapping[str, object],
    measure: Measure,
    *,
    seconds: float = 0,
    writers: int = WRITERS,
    centrifugo: Path | None = None,
) -> Sequence[Row]:
    """Measure, print, and write down; return the table's rows.

    Raises:
        ClickException: a tool or a server failed, or no server is there to be measured.
    """
    about = machine.describe()
    try:
        with prepared(seconds=seconds, writers=writers, centrifugo=centrifugo) as run:
            rows, details = measure(run)
    except ToolFailed as error:
        raise click.ClickException(str(error)) from error
    skipped = [f"{server} is skipped: {why}" for server, why in run.skipped.items()]
    if not rows:
        raise click.ClickException("; ".join(skipped))
    publish(name, out, about, {**settings, "skipped": run.skipped}, rows, details)
    for line in skipped:
        click.echo(line)
    return rows


def command(scenario: Scenario) -> click.Command:
    """Return the command of a scenario."""

    def run_it(out: Path, centrifugo: Path | None = None, **chosen: Any) -> None:
        seconds = chosen.get("seconds", 0.0)
        sizes = {name: value for name, value in chosen.items() if name != "seconds"}

        def measure(run: Run) -> Measured:
            measured: Measured = scenario.module.measure(run, **sizes)
            return measured

        publish_measured(
            scenario.name, out, chosen, measure, seconds=seconds, centrifugo=centrifugo
        )

    made: Any = run_it
    for option in reversed(list(_options(scenario))):
        made = option(made)
    found: click.Command = click.command(scenario.name, help=scenario.summary)(made)
    return found


def _options(scenario: Scenario) -> list[Option]:
    options = [] if scenario.seconds is None else [seconds_option(scenario.seconds)]
    options += [_size_option(name, size) for name, size in scenario.sizes.items()]
    if scenario.servers:
        options.append(_servers_option(scenario.servers))
    if "centrifugo" in scenario.servers:
        options.append(centrifugo_option)
    return [*options, plane_option, out_option]


def _size_option(name: str, size: Size) -> Option:
    flag = f"--{name.replace('_', '-')}"
    default, kind = size.default, _kind(size)
    if isinstance(default, tuple):
        return click.option(
            flag,
            default=",".join(f"{number:g}" for number in default),
            show_default=True,
            help=f"{size.help} Several with commas between them.",
            callback=lambda context, parameter, value: [
                kind.convert(part, parameter, context) for part in value.split(",")
            ],
        )
    return click.option(flag, type=kind, default=default, show_default=True, help=size.help)


def _kind(size: Size) -> click.IntRange | click.FloatRange:
    first = size.default[0] if isinstance(size.default, tuple) else size.default
    if isinstance(first, int):
        return click.IntRange(int(size.low), int(size.high))
    return click.FloatRange(size.low, size.high)


def _servers_option(names: Sequence[str]) -> Option:
    def chosen(_context: click.Context, _parameter: click.Parameter, value: str) -> list[str]:
        servers = value.split(",")
        if not set(servers) <= set(names):
            raise click.BadParameter(f"choose from {', '.join(names)}")
        return servers

    return click.option(
        "--servers",
        default=",".join(names),
        show_default=True,
        callback=chosen,
        help="Who is measured, in this order.",
    )


COMMANDS = tuple(map(command, SCENARIOS))
