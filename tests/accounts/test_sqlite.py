"""What is particular to accounts in SQLite, and to the migrations."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from groundswell.accounts import SqlAccounts, migrate, sqlite_url
from groundswell.accounts.engine import make_engine
from groundswell.accounts.migrate import alembic_config
from groundswell.accounts.schema import REVISION, metadata
from groundswell.contract.ports.accounts import AccountsUnavailable


async def _started(file: Path) -> SqlAccounts:
    await migrate(sqlite_url(file))
    accounts = SqlAccounts(sqlite_url(file))
    await accounts.start()
    return accounts


async def test_a_commit_is_on_stable_storage(tmp_path: Path) -> None:
    """WAL with FULL: each commit is synced, and readers do not wait for the writer."""
    engine = make_engine(sqlite_url(tmp_path / "a.db"))
    async with engine.connect() as connection:
        journal = (await connection.execute(text("PRAGMA journal_mode"))).scalar_one()
        synchronous = (await connection.execute(text("PRAGMA synchronous"))).scalar_one()
    await engine.dispose()
    assert (journal, synchronous) == ("wal", 2)


async def test_there_is_exactly_one_connection(tmp_path: Path) -> None:
    """Many calls at once share it: two that checkpoint at once can corrupt the file."""
    before = set(threading.enumerate())
    accounts = await _started(tmp_path / "a.db")
    most = 0

    def connections() -> int:
        # aiosqlite has a thread for each; those called asyncio are the loop's own executor.
        new = set(threading.enumerate()) - before
        return sum("asyncio" not in thread.name for thread in new)

    async def call(number: int) -> None:
        nonlocal most
        await accounts.register_video(f"v{number}", "t", created_ms=1)
        most = max(most, connections())

    await asyncio.gather(*(call(n) for n in range(20)))
    assert most == 1
    await accounts.close()


async def test_closing_leaves_no_thread_behind(tmp_path: Path) -> None:
    """A connection that stays open would keep the process from ending."""
    threads = set(threading.enumerate())
    accounts = await _started(tmp_path / "a.db")
    await accounts.close()
    with pytest.raises(AccountsUnavailable):
        await SqlAccounts(sqlite_url(tmp_path / "empty.db")).start()
    for thread in set(threading.enumerate()) - threads:
        if "asyncio" not in thread.name:  # the loop's own executor
            thread.join(timeout=10)
            assert not thread.is_alive()


async def test_a_read_only_file_is_unavailable_for_writing(tmp_path: Path) -> None:
    """Reading goes on; a write says that it cannot."""
    file = tmp_path / "a.db"
    accounts = await _started(file)
    await accounts.register_video("v1", "t", created_ms=1)
    await accounts.close()
    # A mode of SQLite rather than of the file: tests may run as root, who may write everything.
    read_only = SqlAccounts(f"sqlite+aiosqlite:///file:{file}?mode=ro&uri=true")
    await read_only.start()
    assert (await read_only.video("v1")) is not None
    with pytest.raises(AccountsUnavailable, match="readonly"):
        await read_only.register_video("v2", "t", created_ms=1)
    await read_only.close()


async def test_a_folder_that_does_not_exist_is_unavailable(tmp_path: Path) -> None:
    """Neither starting nor migrating shows an error of the driver."""
    url = sqlite_url(tmp_path / "missing" / "a.db")
    with pytest.raises(AccountsUnavailable, match="unable to open"):
        await SqlAccounts(url).start()
    with pytest.raises(AccountsUnavailable, match="unable to open"):
        await migrate(url)


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    """A damaged file is told apart from a mistake of ours."""
    file = tmp_path / "a.db"
    file.write_bytes(b"this is not SQLite, it only looks like a file" * 100)
    with pytest.raises(AccountsUnavailable, match="not a database"):
        await SqlAccounts(sqlite_url(file)).start()


async def test_a_migration_that_fails_leaves_nothing_half_done(tmp_path: Path) -> None:
    """The tables before the one that could not be made are not there either."""
    file = tmp_path / "a.db"
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE audit (something TEXT)")
    other.close()
    with pytest.raises(AccountsUnavailable, match="already exists"):
        await migrate(sqlite_url(file))
    other = sqlite3.connect(file)
    names = {name for (name,) in other.execute("SELECT name FROM sqlite_master")}
    other.close()
    assert names == {"audit"}


async def test_the_migrations_make_the_declared_schema(tmp_path: Path) -> None:
    """Nothing is left to generate, and `REVISION` is the last migration."""
    url = sqlite_url(tmp_path / "a.db")
    await migrate(url)

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    engine = make_engine(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()
    assert found == []
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == REVISION
