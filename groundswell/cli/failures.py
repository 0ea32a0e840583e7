"""How a command ends that could not do what it was asked."""

import errno
from typing import Final

import click

FAILURE: Final = 1  # it was asked rightly and did not work
USAGE: Final = 2  # it was asked wrongly: arguments or configuration


class CommandFailed(Exception):
    """What did not work, for people; `hint` is what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None, status: int = FAILURE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status


def report(error: Exception) -> int:
    """Say on standard error what went wrong and return the exit status.

    Raises what is neither the user's mistake nor the machine's again: a traceback is for our bugs.
    """
    # Imported here: only a failed command has to know these.
    from groundswell.config.errors import ConfigError
    from groundswell.contract.ports.accounts import AccountsUnavailable
    from groundswell.failures import StartFailed
    from groundswell.secrets import SecretUnusable

    if isinstance(error, click.exceptions.Abort):
        return 130  # 128 + SIGINT: click turns Ctrl-C into Abort
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx is not None else "groundswell"
        _say(error.format_message(), hint=f"{path} --help")
        return USAGE
    if isinstance(error, click.ClickException):
        _say(error.format_message())
        return error.exit_code
    if isinstance(error, ConfigError):
        _say(str(error), hint="groundswell config docs describes every option")
        return USAGE
    if isinstance(error, CommandFailed):
        _say(error.message, hint=error.hint)
        return error.status
    if isinstance(error, AccountsUnavailable | SecretUnusable | StartFailed):
        _say(str(error))
        return FAILURE
    if isinstance(error, OSError):
        if error.errno != errno.EPIPE:
            _say(str(error))
        return FAILURE
    raise error


def _say(message: str, *, hint: str | None = None) -> None:
    click.echo(f"groundswell: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
