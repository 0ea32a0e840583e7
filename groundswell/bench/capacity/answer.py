"""What `groundswell capacity` prints."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from groundswell.bench import machine, report
from groundswell.bench.capacity import check as checking
from groundswell.bench.capacity import plan as planning
from groundswell.bench.capacity.model import Event
from groundswell.bench.capacity.sizing import Headroom, Node
from groundswell.bench.capacity.units import Units, read_units, reference_files
from groundswell.bench.run import prepared
from groundswell.bench.scenarios import MOST

CHECKED_COMMENTS = 2000.0  # a second, at most: more is more than one client posts for certain


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of the command; rates are a second, `busy` is in percent."""

    viewers: float
    comments: float
    reactions: float
    display_rate: float
    tick: float
    reacted: float
    arrival: float
    hours: float
    node_cores: float
    node_memory: float
    node_bandwidth: float
    busy: float
    spare: int
    seconds: float

    def validate(self, *, check: bool) -> None:
        """Raise `ValueError` where the options make no sense together."""
        for name in ("viewers", "node_cores", "node_memory", "node_bandwidth"):
            if not getattr(self, name):
                raise ValueError(f"--{name.replace('_', '-')} is above 0")
        if not check:
            return
        if self.viewers > MOST:
            raise ValueError(f"--check runs one process, which has at most {MOST:,} viewers")
        if not 0 < self.comments <= CHECKED_COMMENTS:
            raise ValueError(f"--check posts 1 to {CHECKED_COMMENTS:,.0f} comments a second")

    def event(self, *, reactions: float) -> Event:
        """Return the event that is meant."""
        return Event(
            viewers=self.viewers,
            comments=self.comments,
            reactions=reactions,
            display_rate=self.display_rate,
            tick=self.tick,
            reacted=self.reacted,
            arrival=self.arrival,
        )


def units_of(files: Sequence[Path]) -> Units:
    """Return the units of these files, or those of the reference machine."""
    return read_units(files or reference_files())


def plan(asked: Asked, units: Units, *, as_json: bool) -> None:
    """Print what the event needs. Raises `UnitsMissing`."""
    share = asked.busy / 100
    found = planning.plan(
        asked.event(reactions=asked.reactions),
        units,
        node=Node(cores=asked.node_cores, memory=asked.node_memory, bandwidth=asked.node_bandwidth),
        headroom=Headroom(busy=share, network=share, spare=asked.spare),
        hours=asked.hours,
    )
    if as_json:
        click.echo(json.dumps(planning.as_json(found, units), indent=2))
        return
    click.echo(report.table(planning.needs_rows(found)))
    click.echo()
    click.echo(report.table(planning.figures_rows(found)))
    for title, lines in planning.sections(found):
        click.echo(f"\n{title}:")
        click.echo("\n".join(f"- {line}" for line in lines))


def check(asked: Asked, units: Units, *, as_json: bool) -> None:
    """Print the prediction, then make the run and print both.

    Raises:
        UnitsMissing: a unit that the prediction needs is not there.
        ToolFailed: the run did not work out.
    """
    event = asked.event(reactions=0.0)
    predicted = checking.predict(event, units)
    about = machine.describe()
    if not as_json:
        click.echo("Predicted, before the run:")
        click.echo(report.table(checking.predicted_rows(predicted)))
        click.echo("\nThe run ...")
    with prepared(seconds=asked.seconds) as run:
        measured = checking.measure(run, event, units)
    rows = checking.compared_rows(predicted, measured)
    if as_json:
        result = {"machine": about, "event": asdict(event), "rows": rows, "run": asdict(measured)}
        click.echo(json.dumps(result, indent=2))
        return
    click.echo(report.table(rows))
    click.echo(
        f"{measured.posted:,.4g} comments/s were accepted. Others used {measured.others:.0f} % of a"
        f" core, load average {measured.load:.1f}"
        + (f"; bounded by {measured.bounded_by}" if measured.bounded_by else "")
    )
