"""The command that runs all scenarios for which the plane has targets, beside those."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import click

from groundswell.bench import machine, report
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.options import out_option, publish
from groundswell.bench.plane import verdict
from groundswell.bench.run import prepared
from groundswell.bench.scenario_command import plane_option
from groundswell.bench.scenarios import SCENARIOS, Scenario, Size

BUDGET = 265.0  # seconds, after which it starts nothing more: the last takes 90
PEERS = ("groundswell", "limit", "nchan", "naive")  # of joins, which it also takes time for
LEGS = {"joins": PEERS, "one": ("limit", "groundswell"), "sweep": ("limit", "groundswell")}


def scaled(size: Size, scale: float) -> Any:
    """Return a size's default for a run of this scale."""

    def times(number: float) -> float:
        if not size.scales:
            return number
        return max(1, round(number * scale)) if isinstance(number, int) else number * scale

    if isinstance(size.default, tuple):
        return [times(number) for number in size.default]
    return times(size.default)


def _sizes(scenario: Scenario, plane: str, scale: float) -> dict[str, Any]:
    sizes = {name: scaled(size, scale) for name, size in scenario.sizes.items()}
    if scenario.servers:
        legs = LEGS[scenario.name]
        sizes["servers"] = [name for name in legs if name in scenario.servers]
    return {**sizes, "plane": plane}


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
    about = machine.describe()
    began = time.monotonic()
    measured: dict[str, list[report.Row]] = {}
    failures: list[str] = []
    details: list[report.Row] = []
    try:
        with prepared(seconds=1) as run:
            for scenario in (one for one in SCENARIOS if one.target):
                name = scenario.name
                if time.monotonic() - began > BUDGET:
                    failures.append(f"{name}: not run, the time is over")
                    continue
                try:
                    timed = dataclasses.replace(run, seconds=scenario.target_seconds * time_scale)
                    sizes = _sizes(scenario, plane, scale)
                    measured[name], records = scenario.module.measure(timed, **sizes)
                except ToolFailed as error:  # one that fails does not take the others with it
                    failures.append(f"{name}: {error}")
                    continue
                details += [{"scenario": name, **record} for record in records]
                click.echo(f"{name}\n{report.table(measured[name])}\n")
    except ToolFailed as error:
        raise click.ClickException(str(error)) from error
    rows = [check.row() for check in verdict.checks(measured)]
    settings = {"plane": plane, "scale": scale, "time scale": time_scale, "skipped": run.skipped}
    publish("plane", out, about, settings, rows, details)
    click.echo(f"{time.monotonic() - began:.0f} s")
    if failures:
        raise click.ClickException("; ".join(failures))
