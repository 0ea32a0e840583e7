"""The command that runs all scenarios for which the plane has targets, beside those."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import click

from groundswell.bench.measuring import Measuring, measuring
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.options import out_option, plane_option, scale_option
from groundswell.bench.plane import verdict
from groundswell.bench.report import Row
from groundswell.bench.run import Run, prepared
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
@scale_option
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
        _measure_all(going, run, plane, scale=scale, time_scale=time_scale)


def _measure_all(
    going: Measuring, run: Run, plane: str, *, scale: float, time_scale: float
) -> None:
    """Run each; one that fails does not take the others with it, and keeps the rows it had."""
    began = time.monotonic()
    whole: dict[str, list[Row]] = {}
    details: list[Row] = []
    going.details = details
    scenarios = [scenario for scenario in SCENARIOS if scenario.target]
    for number, scenario in enumerate(scenarios, 1):
        name = scenario.name
        if time.monotonic() - began > BUDGET:
            going.failures.append(f"{name}: not run, the time is over")
            continue
        going.journal.entitle(f"{name} ({number} of {len(scenarios)})")
        timed = dataclasses.replace(run, seconds=scenario.target_seconds * time_scale)
        try:
            sizes = _sizes(scenario, plane, scale)
            whole[name], _ = scenario.module.measure(timed, **sizes)
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
