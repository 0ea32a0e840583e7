"""The command `groundswell`. A file for each command; only the one that is asked for is loaded."""

import importlib
import sys
from collections.abc import Sequence
from typing import Any, Final

import click

import groundswell
from groundswell.cli.failures import USAGE, report

_COMMANDS: Final = {
    "serve": "groundswell.cli.serve",
    "ingest": "groundswell.cli.ingest",
    "broker": "groundswell.cli.broker",
    "persist": "groundswell.cli.persist",
    "demo": "groundswell.cli.demo",
    "token": "groundswell.cli.token",
    "config": "groundswell.cli.config",
    "doctor": "groundswell.cli.doctor",
    "capacity": "groundswell.cli.capacity",
    "migrate": "groundswell.cli.migrate",
    "video": "groundswell.cli.video",
    "role": "groundswell.cli.role",
    "bench": "groundswell.cli.bench",
    "partition-for": "groundswell.cli.partition_for",
    "completion": "groundswell.cli.completion",
    "version": "groundswell.cli.version",
}


class _Commands(click.Group):
    """Loads a command when it is named, and turns every failure into one line and a status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(_COMMANDS[cmd_name]).command
        assert isinstance(command, click.Command)  # noqa: S101  # narrows what import_module gave
        return command

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        options["standalone_mode"] = False
        try:
            # Commands return their exit status; click's own --help and the like return 0.
            status = super().main(args, *rest, **options)
        except Exception as error:  # noqa: BLE001  # `report` raises again what is a bug of ours
            status = report(error)
        except KeyboardInterrupt:
            status = 130  # 128 + SIGINT, as shells have it
        sys.exit(status if isinstance(status, int) else 0)


@click.group(
    "groundswell",
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(groundswell.__version__, message="groundswell %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> int | None:
    """Live comments and reactions on broadcasts.

    `groundswell serve --demo` starts everything on this machine.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        return USAGE
    return None


def main() -> None:
    """Run the command line of this process; never returns."""
    cli.main(prog_name="groundswell")
