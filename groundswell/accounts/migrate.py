"""Bringing a database to the schema of this program."""

import asyncio
import functools
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection

from groundswell.accounts.engine import make_engine
from groundswell.accounts.failures import unavailable_on_failure

MIGRATIONS = Path(__file__).parent / "migrations"


async def migrate(url: str | URL) -> None:
    """Run all migrations that are missing, in one transaction; none missing: changes nothing.

    Raises `AccountsUnavailable` if the database cannot be reached or written.
    """
    # Reading the migrations blocks, so it happens on a loop and a thread of its own.
    await asyncio.to_thread(asyncio.run, _migrate(url))


async def _migrate(url: str | URL) -> None:
    engine = make_engine(url)
    try:
        with unavailable_on_failure():
            async with engine.begin() as connection:
                await connection.run_sync(functools.partial(upgrade, revision="head"))
    finally:
        await engine.dispose()


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
