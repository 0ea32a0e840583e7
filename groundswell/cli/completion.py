"""`groundswell completion`: completion for shells."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_GROUNDSWELL_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(*, shell: str) -> int:
    """Print the completion script of a shell.

    Try it with: eval "$(groundswell completion bash)"
    """
    from groundswell.cli import cli

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  # click has a class for each of the choices
    click.echo(kind(cli, {}, "groundswell", _VARIABLE).source())
    return 0
