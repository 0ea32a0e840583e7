"""The accounts database, for commands that work on it without a server."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from groundswell.contract.clock import SystemClock
from groundswell.contract.settings import Settings

if TYPE_CHECKING:
    from groundswell.accounts import SqlAccounts

ResultT = TypeVar("ResultT")


def accounts_url(settings: Settings) -> str:
    """Return where the accounts are: the option, or the file in the data folder."""
    from groundswell.accounts import sqlite_url
    from groundswell.accounts.engine import FILE_NAME

    if settings.accounts.url:
        return settings.accounts.url
    file = Path(settings.server.data) / FILE_NAME
    return sqlite_url(file).render_as_string(hide_password=False)


def with_accounts(
    settings: Settings, work: "Callable[[SqlAccounts], Awaitable[ResultT]]"
) -> ResultT:
    """Open the accounts, work on them and close them; raises `AccountsUnavailable`.

    A file may have one process at a time, so while a server has it this fails; PostgreSQL may
    have any number.
    """
    from groundswell.accounts import SqlAccounts

    async def run() -> ResultT:
        accounts = SqlAccounts(accounts_url(settings), connections=1)
        await accounts.start()
        try:
            return await work(accounts)
        finally:
            await accounts.close()

    return asyncio.run(run())


def console_user() -> str:
    """Return the name that the audit log has for whoever sits at this terminal."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        name = "unknown"
    return f"console:{name}"[:64]


def now_ms() -> int:
    """Return the time of what a command does."""
    return SystemClock().wall_ms()
