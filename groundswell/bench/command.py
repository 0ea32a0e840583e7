"""The group `groundswell bench`: a subcommand for each scenario, and what reads their results.

The scenarios' table is all that is imported here. A subcommand's modules are when it is named, so
that the rest of the product never pays for it, and one never for another.
"""

import importlib
import signal
import sys
from pathlib import Path
from typing import Final

import click

from groundswell.bench.scenarios import SCENARIOS

_BASIC = "groundswell.bench.basic_command"
_CLUSTER = "groundswell.bench.cluster_command"
_DURABLE = "groundswell.bench.durable_command"
_SCENARIOS: Final = {scenario.name: scenario for scenario in SCENARIOS}
_COMMANDS: Final = {  # module, and what the command is called there
    "ingest": (_BASIC, "ingest"),
    "deflate": (_BASIC, "deflate"),
    "plane": ("groundswell.bench.plane.everything", "everything"),
    "calibrate": ("groundswell.bench.capacity.command", "calibrate"),
    "many": ("groundswell.bench.plane.many_command", "many"),
    "cluster-ingest": (_CLUSTER, "ingest"),
    "cluster-reactions": (_CLUSTER, "reactions"),
    "cluster-latency": (_CLUSTER, "latency"),
    "cluster-page": (_CLUSTER, "page"),
    "cluster-persist": (_DURABLE, "persist"),
    "cluster-tally": (_DURABLE, "tally"),
    "event": (_DURABLE, "event"),
    "report": ("groundswell.bench.page.command", "report"),
    "compare": ("groundswell.bench.compare_command", "compare"),
}
_EXTRAS: Final = {  # what only one of the project's extras installs
    "rich": "bench",
    "aiokafka": "cluster",
    "asyncpg": "cluster",
    "cassandra": "cluster",
    "redis": "cluster",
}


class _Scenarios(click.Group):
    """Loads a command when it is named. One that lacks a library says how to install it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_SCENARIOS, *_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _SCENARIOS and cmd_name not in _COMMANDS:
            return None
        try:
            return _load(cmd_name)
        except ModuleNotFoundError as error:
            library = str(error.name).partition(".")[0]
            if library not in _EXTRAS:
                raise
            return _without(cmd_name, library)


def _load(name: str) -> click.Command:
    if name in _SCENARIOS:
        from groundswell.bench.scenario_command import command as command_of

        return command_of(_SCENARIOS[name])
    module, attribute = _COMMANDS[name]
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)  # noqa: S101  # narrows what import_module gave
    return command


def _without(name: str, library: str) -> click.Command:
    advice = f"{library} is not installed: pip install 'groundswell[{_EXTRAS[library]}]'"

    def fail() -> None:
        raise click.ClickException(advice)

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(
        name, callback=fail, help=f"(not available: {advice})", context_settings=settings
    )


@click.group("bench", cls=_Scenarios)
@click.option(
    "--program",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The `groundswell` to measure, such as another checkout's .venv/bin/groundswell.",
)
@click.pass_context
def bench(context: click.Context, program: Path | None) -> None:
    """Measure servers on this machine, and read what was measured.

    The server has one core, the clients another. Every command writes a JSON file; `report` makes
    a page of such files, `compare` says what differs between two.
    """
    if program is not None:
        from groundswell.bench.program import choose

        choose(program.absolute())
        context.call_on_close(lambda: choose(None))
    # Ended from outside, the bench still ends the servers that it started.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    context.call_on_close(lambda: signal.signal(signal.SIGTERM, before))
