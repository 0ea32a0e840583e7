"""The accounts database: opening it, and transactions that end in bounded time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, inspect, make_url, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from groundswell.accounts.engine import make_engine
from groundswell.accounts.failures import OUR_MISTAKES, unavailable_on_failure
from groundswell.accounts.schema import REVISION, applied_migrations
from groundswell.contract.ports.accounts import AccountsUnavailable
from groundswell.filelock import FileLock

# One statement, connecting and waiting for a connection are bounded each; this bounds them all.
TRANSACTION_S: Final = 10.0


class Database:
    """One database, whose engine accounts and index share. Belongs to one event loop."""

    def __init__(self, url: str | URL, *, connections: int) -> None:
        self._url = url
        self._connections = connections
        self.embedded = str(url).startswith("sqlite")  # then there is one connection
        self._lock = file_lock(url)
        self._engine: AsyncEngine | None = None
        self._available = False

    async def start(self) -> None:
        """Connect; raises `AccountsUnavailable`, also if the schema is not this program's.

        After that it may be tried again.
        """
        if self._engine is not None:
            return
        engine = make_engine(self._url, connections=self._connections)
        try:
            if self._lock is not None:
                await asyncio.to_thread(take_file, self._lock)
            async with self._transaction(engine) as connection:
                revision = await connection.run_sync(applied_revision)
            if revision != REVISION:
                self._available = False
                raise AccountsUnavailable(
                    f"the accounts schema is at {revision or 'nothing'}, this program needs "
                    f"{REVISION}: run `groundswell migrate`"
                )
        except BaseException:  # an aiosqlite connection that stays open keeps the process alive
            await engine.dispose()
            self._release()
            raise
        self._engine = engine

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        engine, self._engine = self._engine, None
        self._available = False
        if engine is not None:
            await engine.dispose()
            self._release()

    def available(self) -> bool:
        """Tell whether the last transaction was carried out."""
        return self._available

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction and commit it at the end. Raises `AccountsUnavailable`."""
        if self._engine is None:
            raise AccountsUnavailable("not started, or closed")
        async with self._transaction(self._engine) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            with unavailable_on_failure():
                # SQLite bounds its own waiting, and its thread would work on if we went.
                limit = None if self.embedded else TRANSACTION_S
                async with asyncio.timeout(limit), engine.begin() as connection:
                    yield connection
        except AccountsUnavailable:
            self._available = False
            raise
        except OUR_MISTAKES:
            self._available = True  # it answered
            raise
        self._available = True

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()


def file_lock(url: str | URL) -> FileLock | None:
    """Return the lock of a database that is a file, if it is one."""
    text = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    if not text.startswith("sqlite"):
        return None
    path = make_url(url).database
    if not path or path == ":memory:" or path.startswith("file:"):
        return None
    return FileLock(Path(path))


def take_file(lock: FileLock) -> None:
    """Take a database for this process; raises `AccountsUnavailable`."""
    try:
        lock.take()
    except BlockingIOError as error:
        raise AccountsUnavailable(
            f"another process has {lock.database}, which only one may have at a time: stop "
            "the server first, or keep the accounts in PostgreSQL (accounts.url)"
        ) from error
    except OSError as error:
        raise AccountsUnavailable(
            f"unable to open {lock.path}: {error.strerror}; check that its folder exists and "
            "can be written"
        ) from error


def applied_revision(connection: Connection) -> str | None:
    """Return the last migration that a database has had; None: it is not one of ours yet."""
    if not inspect(connection).has_table(applied_migrations.name):
        return None
    found = connection.execute(select(applied_migrations.c.version_num))
    return found.scalar_one_or_none()
