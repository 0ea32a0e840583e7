"""The command of a scenario, made of its row in the table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from groundswell.bench.measuring import measuring
from groundswell.bench.options import Option, out_option, plane_option, seconds_option
from groundswell.bench.peers import centrifugo as centrifugo_peer
from groundswell.bench.run import prepared
from groundswell.bench.scenarios import Scenario, Size

centrifugo_option = click.option(
    "--centrifugo",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=centrifugo_peer.VARIABLE,
    help="The program Centrifugo, which is yours to build; without it that peer is skipped.",
)


def command(scenario: Scenario) -> click.Command:
    """Return the command of a scenario."""

    def run_it(out: Path, centrifugo: Path | None = None, **chosen: Any) -> None:
        seconds = chosen.get("seconds", 0.0)
        sizes = {name: value for name, value in chosen.items() if name != "seconds"}
        with (
            measuring(scenario.name, out, chosen) as going,
            prepared(seconds=seconds, journal=going.journal, centrifugo=centrifugo) as run,
        ):
            scenario.module.measure(run, **sizes)

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
