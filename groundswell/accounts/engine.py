"""Making the engine: one connection where it is SQLite, a pool where it is a server."""

import asyncio
from pathlib import Path
from typing import Any, Final

import aiosqlite
from sqlalchemy import URL, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

FILE_NAME: Final = "accounts.db"
WAIT_S: Final = 5.0  # for the connection, or for another process's lock: then it is unavailable


def sqlite_url(file: Path) -> URL:
    """Return the URL of an embedded database."""
    return URL.create("sqlite+aiosqlite", database=str(file))


def make_engine(url: str | URL) -> AsyncEngine:
    """Return an engine that has not connected yet."""
    url = make_url(url)
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, pool_pre_ping=True, pool_timeout=WAIT_S)
    # Exactly one connection, for reads too: two that write or checkpoint at once can corrupt a
    # WAL database of SQLite 3.7.0 to 3.51.2 (sqlite.org/wal.html#walresetbug).
    engine = create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=WAIT_S,
        connect_args={"timeout": WAIT_S, "async_creator_fn": _connect},
    )
    event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


async def _connect(*args: Any, **options: Any) -> aiosqlite.Connection:
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
