"""The command `calibrate` of the bench."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from groundswell.bench import report
from groundswell.bench.capacity import measure
from groundswell.bench.capacity.units import UNITS, Unit, of_result
from groundswell.bench.measuring import measuring
from groundswell.bench.options import out_option, rounds_option, scale_option
from groundswell.bench.results import Result
from groundswell.bench.run import prepared


@click.command()
@scale_option
@rounds_option
@out_option
def calibrate(scale: float, rounds: int, out: Path) -> None:
    """What `groundswell capacity` reckons with, of this machine (3 minutes).

    Of the rounds of fan-out the cheapest counts.
    """
    settings = {"scale": scale, "rounds": rounds, "plane": measure.PLANE, "tick": measure.TICK}
    with (
        measuring("calibrate", out, settings) as going,
        prepared(seconds=measure.FANOUT_SECONDS, journal=going.journal) as run,
    ):
        _, details = measure.measure(run, scale=scale, rounds=rounds)
        records = [dict(record) for record in details]
        result = Result(
            scenario="calibrate", machine={}, settings=settings, rows=[], details=records
        )
        going.rows, going.details = unit_rows(of_result(result, file="")), list(details)


def unit_rows(units: Mapping[str, Unit]) -> Sequence[report.Row]:
    """Return a row of a table for each unit that there is, in the order of `UNITS`."""
    return [
        {
            "unit": name,
            "cost": units[name].value,
            "in": kind,
            "of": meaning,
            "note": units[name].note,
        }
        for name, (kind, meaning) in UNITS.items()
        if name in units
    ]
