"""Making the engine: one connection where it is SQLite, a pool where it is PostgreSQL."""

import asyncio
from pathlib import Path
from typing import Any, Final

import aiosqlite
from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from groundswell.contract.ports.accounts import AccountsUnavailable

FILE_NAME: Final = "accounts.db"
WAIT_S: Final = 5.0  # for a free connection, or for another process's lock: then unavailable
CONNECT_S: Final = 5.0
STATEMENT_S: Final = 5.0

_POSTGRESQL: Final = "postgresql+asyncpg"
_SCHEMES: Final = ("postgresql", "postgres", _POSTGRESQL)


def sqlite_url(file: Path) -> URL:
    """Return the URL of an embedded database."""
    return URL.create("sqlite+aiosqlite", database=str(file))


def make_engine(
    url: str | URL, *, connections: int = 1, statement_s: float | None = STATEMENT_S
) -> AsyncEngine:
    """Return an engine that has not connected yet.

    PostgreSQL is named as libpq has it, `postgresql://`, with several hosts, `sslmode` and all.
    Raises `AccountsUnavailable` for any other URL; what is in it is never shown.
    """
    text = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    scheme, _, rest = text.partition("://")
    if scheme in _SCHEMES:
        return _postgresql(f"postgresql://{rest}", connections=connections, statement_s=statement_s)
    try:
        url = make_url(url)
    except ArgumentError:
        raise _wrong_url() from None
    if url.get_backend_name() != "sqlite":
        raise _wrong_url()
    return _sqlite(url)


def _wrong_url() -> AccountsUnavailable:
    return AccountsUnavailable("accounts.url does not begin with postgresql://")


def _postgresql(dsn: str, *, connections: int, statement_s: float | None) -> AsyncEngine:
    return create_async_engine(
        f"{_POSTGRESQL}://",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=WAIT_S,
        # A connection from before PostgreSQL was away is replaced, not used.
        pool_pre_ping=True,
        # What failed is told by its own words; the values of a statement are nobody's business.
        hide_parameters=True,
        connect_args={
            "dsn": dsn,
            "timeout": CONNECT_S,
            "command_timeout": statement_s,
            "server_settings": {"application_name": "groundswell"},
            "async_creator_fn": _connect_postgresql,
        },
    )


async def _connect_postgresql(**options: Any) -> Any:
    # Here: without a server nobody waits for it to load. It ships no types.
    import asyncpg  # type: ignore[import-untyped]

    try:
        return await asyncpg.connect(**options)
    except asyncpg.InterfaceError as error:  # a parameter of the URL; it names that alone
        raise AccountsUnavailable(f"accounts.url: {error}") from None
    except ValueError:  # its text may show a password with an @ in it as part of the host
        raise AccountsUnavailable("accounts.url is not the URL of a database") from None


def _sqlite(url: URL) -> AsyncEngine:
    # Exactly one connection, for reads too: two that write or checkpoint at once can corrupt a
    # WAL database of SQLite 3.7.0 to 3.51.2 (sqlite.org/wal.html#walresetbug).
    engine = create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=WAIT_S,
        hide_parameters=True,
        connect_args={"timeout": WAIT_S, "async_creator_fn": _connect_sqlite},
    )
    event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


async def _connect_sqlite(*args: Any, **options: Any) -> aiosqlite.Connection:
    connection = aiosqlite.connect(*args, **options)
    # Each connection has a thread. One that somebody forgot must not keep the process alive.
    connection._thread.daemon = True
    try:
        return await connection
    except BaseException:
        # Told to stop, the thread answers once more: a loop that has ended by then would have it
        # die with a traceback on the terminal.
        await asyncio.to_thread(connection._thread.join)
        raise


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transactions leave out DDL, so that half a migration could be committed;
    # ours begin with an explicit BEGIN instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # NORMAL loses the last commits at a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN")
