"""Bringing a database to the schema of this program."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, func, select

from groundswell.accounts.database import applied_revision, file_lock, take_file
from groundswell.accounts.engine import make_engine
from groundswell.accounts.failures import OUR_MISTAKES, unavailable_on_failure
from groundswell.accounts.schema import REVISION
from groundswell.contract.ports.accounts import AccountsUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"
_TURN: Final = 0x67726F756E647377  # of `pg_advisory_xact_lock`: any number that nobody else takes


async def migrate(url: str | URL) -> None:
    """Run all migrations that are missing, in one transaction; none missing: changes nothing.

    Several processes may do it at once. Raises `AccountsUnavailable` if the database cannot be
    reached or written.
    """
    # Reading the migrations blocks, so it happens on a loop and a thread of its own.
    await asyncio.to_thread(asyncio.run, _in_one_transaction(url, _upgrade))


async def missing_revision(url: str | URL) -> str | None:
    """Return the revision that `migrate` would bring the database to; None: it is there already.

    Changes nothing. Raises `AccountsUnavailable`.
    """
    found: list[str | None] = []

    def look(connection: Connection) -> None:
        found.append(applied_revision(connection))

    await asyncio.to_thread(asyncio.run, _in_one_transaction(url, look))
    return None if found == [REVISION] else REVISION


async def _in_one_transaction(url: str | URL, work: Callable[[Connection], None]) -> None:
    engine = make_engine(url, statement_s=None)
    lock = file_lock(url)
    try:
        if lock is not None:
            take_file(lock)
        with unavailable_on_failure():
            async with engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    await connection.execute(select(func.pg_advisory_xact_lock(_TURN)))
                await connection.run_sync(work)
    except OUR_MISTAKES as error:  # a table that is in the way, a right that is missing
        raise AccountsUnavailable(f"the accounts database refused: {error.orig}") from error
    finally:
        await engine.dispose()
        if lock is not None:
            lock.release()


def _upgrade(connection: Connection) -> None:
    upgrade(connection, revision="head")


def upgrade(connection: Connection, *, revision: str) -> None:
    """Migrate up to a revision within the transaction of `connection`."""
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def alembic_config() -> Config:
    """Return alembic's configuration: the migrations are in this package, there is no ini file."""
    config = Config()
    # alembic reads % as the start of an interpolation.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
