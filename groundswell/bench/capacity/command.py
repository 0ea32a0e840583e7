"""The command `calibrate` of the bench."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from groundswell.bench import machine, report
from groundswell.bench.capacity import measure
from groundswell.bench.capacity.units import UNITS, Unit, of_result
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.options import out_option, publish
from groundswell.bench.run import prepared


@click.command()
@click.option(
    "--scale",
    type=click.FloatRange(0.001, 1),
    default=1,
    show_default=True,
    help="Of viewers and sockets; below 1 for a quick look.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 10),
    default=2,
    show_default=True,
    help="Of fan-out; the cheapest counts.",
)
@out_option
def calibrate(scale: float, rounds: int, out: Path) -> None:
    """What `groundswell capacity` reckons with, of this machine (3 minutes)."""
    settings = {"scale": scale, "rounds": rounds, "plane": measure.PLANE, "tick": measure.TICK}
    about = machine.describe()
    try:
        with prepared(seconds=measure.FANOUT_SECONDS) as run:
            details = measure.measure(run, scale=scale, rounds=rounds)
    except ToolFailed as error:
        raise click.ClickException(str(error)) from error
    result = {"scenario": "calibrate", "machine": about, "rows": [], "details": details}
    publish("calibrate", out, about, settings, unit_rows(of_result(result, file="")), details)


def unit_rows(units: Mapping[str, Unit]) -> Sequence[report.Row]:
    """Return a row of a table for each unit that there is, in the order of `UNITS`."""
    return [
        {
            "unit": name,
            "cost": units[name].value,
            "in": kind,
            "of": meaning,
            "bounded by": units[name].note,
        }
        for name, (kind, meaning) in UNITS.items()
        if name in units
    ]
