"""The commands of the plane's scenarios, and the one that runs them beside the targets."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from groundswell.bench import report
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.options import Measuring, measuring, out_option, seconds_option
from groundswell.bench.plane import beside as beside_scenario
from groundswell.bench.plane import idle as idle_scenario
from groundswell.bench.plane import joins as joins_scenario
from groundswell.bench.plane import one as one_scenario
from groundswell.bench.plane import sweep as sweep_scenario
from groundswell.bench.plane import uplink as uplink_scenario
from groundswell.bench.plane import verdict
from groundswell.bench.run import Run, prepared

BUDGET = 265.0  # seconds, after which `plane` starts nothing more: the last takes 90
MOST = 19_000  # viewers of one process: it may have 20,000 files open

Measured = tuple[list[report.Row], list[report.Row]]
Measure = Callable[[Run], Measured]

plane_option = click.option(
    "--plane",
    type=click.Choice(["native", "asyncio"]),
    default="native",
    show_default=True,
    help="What moves groundswell's frames to sockets.",
)


def viewers_option(default: int) -> Callable[[Any], Any]:
    """Return the option for how many viewers there are."""
    return click.option(
        "--viewers", type=click.IntRange(1, MOST), default=default, show_default=True
    )


def servers_option(names: tuple[str, ...]) -> Callable[[Any], Any]:
    """Return the option for who is measured."""

    def chosen(_context: click.Context, _parameter: click.Parameter, value: str) -> list[str]:
        servers = value.split(",")
        if not set(servers) <= set(names):
            raise click.BadParameter(f"choose from {', '.join(names)}")
        return servers

    return click.option("--servers", default=",".join(names), show_default=True, callback=chosen)


def _publish(
    name: str, out: Path, seconds: float, settings: Mapping[str, object], measure: Measure
) -> None:
    with (
        measuring(name, out, {"seconds": seconds, **settings}) as going,
        prepared(seconds=seconds, journal=going.journal) as run,
    ):
        measure(run)


@click.command()
@viewers_option(15_000)
@click.option(
    "--at-once",
    type=click.IntRange(1, 4000),
    default=500,
    show_default=True,
    help="Joins under way at a time.",
)
@servers_option(joins_scenario.SERVERS)
@plane_option
@out_option
def joins(viewers: int, at_once: int, servers: list[str], plane: str, out: Path) -> None:
    """A burst of viewers, each with a welcome of 50 comments, beside peers."""
    settings = {"viewers": viewers, "at once": at_once, "plane": plane}

    def measure(run: Run) -> Measured:
        return joins_scenario.measure(
            run, viewers=viewers, at_once=at_once, servers=servers, plane=plane
        )

    _publish("joins", out, 0, settings, measure)


@click.command()
@click.option("--seconds", type=click.FloatRange(0.1, 280), default=60, show_default=True)
@viewers_option(10_000)
@plane_option
@out_option
def idle(seconds: float, viewers: int, plane: str, out: Path) -> None:
    """CPU and memory of viewers who get pings and nothing else."""
    settings = {"viewers": viewers, "plane": plane, "ping interval": idle_scenario.PING_INTERVAL}
    _publish(
        "idle",
        out,
        seconds,
        settings,
        lambda run: idle_scenario.measure(run, viewers=viewers, plane=plane),
    )


@click.command()
@seconds_option
@click.option("--sockets", type=click.IntRange(1, 10_000), default=2000, show_default=True)
@viewers_option(1000)
@click.option(
    "--window",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Reactions of a socket that are unanswered at a time.",
)
@plane_option
@out_option
def uplink(seconds: float, sockets: int, viewers: int, window: int, plane: str, out: Path) -> None:
    """Reactions a second over sockets, and fan-out with and without them."""
    settings = {"sockets": sockets, "viewers": viewers, "window": window, "plane": plane}

    def measure(run: Run) -> Measured:
        return uplink_scenario.measure(
            run, sockets=sockets, viewers=viewers, window=window, plane=plane
        )

    _publish("uplink", out, seconds, settings, measure)


@click.command()
@seconds_option
@click.option("--small", type=click.IntRange(1, 1000), default=10, show_default=True)
@click.option("--large", type=click.IntRange(1, 18_000), default=15_000, show_default=True)
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 1000),
    default=20,
    show_default=True,
    help="Comments a second of the large room.",
)
@plane_option
@out_option
def beside(seconds: float, small: int, large: int, rate: float, plane: str, out: Path) -> None:
    """A small room's latency, alone and beside a large room under load."""
    settings = {"small": small, "large": large, "rate": rate, "plane": plane}

    def measure(run: Run) -> Measured:
        return beside_scenario.measure(run, small=small, large=large, rate=rate, plane=plane)

    _publish("beside", out, seconds, settings, measure)


@click.command()
@viewers_option(10_000)
@click.option("--comments", type=click.IntRange(1, 100), default=8, show_default=True)
@servers_option(one_scenario.SERVERS)
@plane_option
@out_option
def one(viewers: int, comments: int, servers: list[str], plane: str, out: Path) -> None:
    """One comment into an idle room: its median and its last viewer, beside the C loop."""
    settings = {"viewers": viewers, "comments": comments, "plane": plane}

    def measure(run: Run) -> Measured:
        return one_scenario.measure(
            run, viewers=viewers, comments=comments, servers=servers, plane=plane
        )

    _publish("one", out, 0, settings, measure)


@click.command()
@seconds_option
@click.option(
    "--deliveries",
    type=click.FloatRange(100, 1e6),
    default=30_000,
    show_default=True,
    help="Deliveries a second, of each size.",
)
@servers_option(sweep_scenario.SERVERS)
@plane_option
@out_option
def sweep(seconds: float, deliveries: float, servers: list[str], plane: str, out: Path) -> None:
    """What a delivery costs with 1,000 to 15,000 viewers in a process."""
    settings = {"sizes": sweep_scenario.SIZES, "deliveries": deliveries, "plane": plane}

    def measure(run: Run) -> Measured:
        return sweep_scenario.measure(
            run, sizes=sweep_scenario.SIZES, deliveries=deliveries, servers=servers, plane=plane
        )

    _publish("sweep", out, seconds, settings, measure)


def _all(plane: str, *, scale: float) -> dict[str, tuple[float, Measure]]:
    """Return the seconds and the measurement of each scenario; sizes times `scale`."""

    def sized(viewers: int) -> int:
        return max(1, round(viewers * scale))

    return {
        "joins": (
            0,
            lambda run: joins_scenario.measure(
                run,
                viewers=sized(15_000),
                at_once=500,
                servers=joins_scenario.SERVERS,
                plane=plane,
            ),
        ),
        "idle": (50, lambda run: idle_scenario.measure(run, viewers=sized(10_000), plane=plane)),
        "uplink": (
            6,
            lambda run: uplink_scenario.measure(
                run, sockets=sized(2000), viewers=sized(1000), window=4, plane=plane
            ),
        ),
        "beside": (
            8,
            lambda run: beside_scenario.measure(
                run, small=10, large=sized(15_000), rate=20, plane=plane
            ),
        ),
        "one": (
            0,
            lambda run: one_scenario.measure(
                run,
                viewers=sized(10_000),
                comments=8,
                servers=("limit", "groundswell"),
                plane=plane,
            ),
        ),
        "sweep": (
            4,
            lambda run: sweep_scenario.measure(
                run,
                sizes=[sized(viewers) for viewers in sweep_scenario.SIZES],
                deliveries=30_000 * scale,
                servers=("limit", "groundswell"),
                plane=plane,
            ),
        ),
    }


@click.command("plane")
@plane_option
@click.option(
    "--scale",
    type=click.FloatRange(0.001, 1),
    default=1,
    show_default=True,
    help="Of the viewers and sockets; targets are for 1.",
)
@click.option(
    "--time-scale",
    type=click.FloatRange(0.01, 1),
    default=1,
    show_default=True,
    help="Of the seconds of each measurement.",
)
@out_option
def everything(plane: str, scale: float, time_scale: float, out: Path) -> None:
    """All of joins, idle, uplink, beside, one and sweep, with the targets (under 6 minutes)."""
    settings = {"plane": plane, "scale": scale, "time scale": time_scale}
    with (
        measuring("plane", out, settings) as going,
        prepared(seconds=1, journal=going.journal) as run,
    ):
        _measure_all(going, run, _all(plane, scale=scale), time_scale=time_scale)


def _measure_all(
    going: Measuring, run: Run, scenarios: Mapping[str, tuple[float, Measure]], *, time_scale: float
) -> None:
    """Run each; one that fails does not take the others with it, and keeps the rows it had."""
    began = time.monotonic()
    whole: dict[str, list[report.Row]] = {}
    details: list[report.Row] = []
    going.details = details
    for number, (name, (seconds, measure)) in enumerate(scenarios.items(), 1):
        if time.monotonic() - began > BUDGET:
            going.failures.append(f"{name}: not run, the time is over")
            continue
        going.journal.entitle(f"{name} ({number} of {len(scenarios)})")
        try:
            whole[name], _ = measure(dataclasses.replace(run, seconds=seconds * time_scale))
        except ToolFailed as error:
            going.failures.append(f"{name}: {error}")
            going.cut[name] = str(error)
        finally:
            if going.journal.rows:
                going.tables[name] = going.journal.rows
            if name not in whole:
                going.cut.setdefault(name, "interrupted")
            details += [{"scenario": name, **record} for record in going.journal.details]
            going.rows = [check.row() for check in verdict.checks(whole)]


COMMANDS = (joins, idle, uplink, beside, one, sweep, everything)
