"""`groundswell capacity`: what an event needs, from measured unit costs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from groundswell.cli.failures import USAGE, CommandFailed


class _Amount(click.ParamType[float]):
    """A number with a unit. `kind` names the function of `bench.capacity.sizes` that reads it."""

    def __init__(self, kind: str) -> None:
        self.name = kind

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        from groundswell.bench.capacity import sizes  # nothing of the bench loads for `serve`

        if isinstance(value, float):
            return value
        read: Callable[[str], float] = getattr(sizes, self.name)
        try:
            return read(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


_COUNT, _SIZE, _BANDWIDTH = _Amount("count"), _Amount("size"), _Amount("bandwidth")


def _option(name: str, kind: click.ParamType[Any], default: Any, text: str) -> Callable[[Any], Any]:
    return click.option(name, type=kind, default=default, show_default=True, help=text)


@click.command("capacity")
@click.option("--viewers", type=_COUNT, required=True, help="Of one video at a time, such as 10M.")
@click.option("--comments", type=_COUNT, required=True, help="Posted a second.")
@_option("--reactions", _COUNT, "0", "A second, to comments.")
@_option("--display-rate", _COUNT, "50", "Comments a second that viewers are sent; 0: all.")
@_option("--tick", click.FloatRange(0.01, 10), 0.25, "Seconds between two frames.")
@_option("--reacted", _COUNT, "200", "Shown comments that get reactions at a time.")
@_option("--arrival", click.FloatRange(1), 600.0, "Seconds in which all viewers come.")
@_option("--hours", click.FloatRange(0, min_open=True), 1.0, "How long the event is.")
@_option("--node-cores", _COUNT, "16", "Cores of a node.")
@_option("--node-memory", _SIZE, "64GiB", "Memory of a node.")
@_option("--node-bandwidth", _BANDWIDTH, "25Gbit", "Network of a node, each way.")
@_option("--busy", click.FloatRange(1, 100), 60.0, "Percent of cores and network to plan for.")
@_option("--spare", click.IntRange(0, 100), 1, "Nodes of each role that may be away.")
@click.option(
    "--units",
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Result file of the bench: calibrate or cluster-...; again: the later one counts. "
    "Without it: those of the reference machine.",
)
@click.option("--check", is_flag=True, help="Predict a run of this size on this machine; make it.")
@_option("--seconds", click.FloatRange(1, 120), 10.0, "With --check: how long is measured.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(*, files: tuple[Path, ...], check: bool, as_json: bool, **options: Any) -> int:
    """Print what an event needs of each role, from measured unit costs.

    Assumptions, and what is not measured, are printed with it. With --check one process with all
    roles is predicted, run and compared; --reactions has no part in that.
    """
    from groundswell.bench.capacity import answer
    from groundswell.bench.capacity.model import UnitsMissing
    from groundswell.bench.capacity.units import UnitsUnusable
    from groundswell.bench.native_tools import ToolFailed

    asked = answer.Asked(**options)
    try:
        asked.validate(check=check)
        units = answer.units_of(files)
        if check:
            answer.check(asked, units, as_json=as_json)
        else:
            answer.plan(asked, units, as_json=as_json)
    except ValueError as error:
        raise CommandFailed(str(error), status=USAGE) from error
    except (UnitsMissing, UnitsUnusable) as error:
        hint = "groundswell bench calibrate writes a file with all of them"
        raise CommandFailed(str(error), hint=hint) from error
    except ToolFailed as error:
        raise CommandFailed(str(error)) from error
    return 0
