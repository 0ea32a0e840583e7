"""What only the embedded store promises: one file, one log, one writer, group commit."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from groundswell.contract import faultpoints
from groundswell.contract.events import VERSION, Event, EventKind, LoggedEvent
from groundswell.contract.ports.store import (
    CommentsBatch,
    Projection,
    StoreMismatch,
    StoreUnavailable,
)
from groundswell.persist import schema
from groundswell.persist.sqlite_store import SqliteStore

TEXT = b'{"commentText":"regrettable"}'


def logged(
    offset: int, *, kind: EventKind = EventKind.COMMENT, of: str | None = None
) -> LoggedEvent:
    """Return an event about comment `of`, by default a comment of its own."""
    name = of or f"c{offset}"
    event = Event(VERSION, kind, "launch", name, "ada", 0, None, offset, 1000, TEXT)
    return LoggedEvent(offset, 1000, event)


async def apply(store: SqliteStore, *events: LoggedEvent, partition: int = 0) -> None:
    """Apply events up to the last of them."""
    await store.apply(partition, CommentsBatch(events), upto=events[-1].offset + 1)


async def offsets(store: SqliteStore) -> list[int]:
    """Return the offsets of all comments."""
    page = await store.comments("launch", start=0, end=1 << 40, limit=10_000)
    return [stored.offset for stored in page]


@pytest.mark.parametrize(
    ("generation", "epoch"), [(1, "fedcba9876543210"), (2, "0123456789abcdef")]
)
async def test_a_store_of_another_log_is_refused(
    store: SqliteStore, path: Path, generation: int, epoch: str
) -> None:
    """The text names both logs and says what to do."""
    await store.close()
    other = SqliteStore(path, generation=generation, log_epoch=epoch)
    with pytest.raises(StoreMismatch, match=r"belongs to log 0123456789abcdef.*move store\.db"):
        await other.start()
    with pytest.raises(StoreUnavailable, match="not open"):
        await other.comments("launch", start=0, end=1, limit=1)


async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    """With the path in the text."""
    await asyncio.to_thread(path.write_bytes, b"not a database" * 1000)
    with pytest.raises(StoreUnavailable, match=r"store\.db"):
        await SqliteStore(path, generation=1, log_epoch="0123456789abcdef").start()


async def test_a_file_of_a_newer_program_is_refused(store: SqliteStore, path: Path) -> None:
    """A schema that we do not know is not touched."""
    await store.close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    with pytest.raises(StoreMismatch, match="newer program"):
        await SqliteStore(path, generation=1, log_epoch="0123456789abcdef").start()


async def test_a_file_of_an_older_program_is_brought_up_to_date(
    store: SqliteStore, path: Path
) -> None:
    """Rows stay; the table of dead letters goes, as they are in the log now."""
    await apply(store, logged(1))
    await store.close()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE dead_letters (reason TEXT)")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    again = SqliteStore(path, generation=1, log_epoch="0123456789abcdef")
    await again.start()
    assert await offsets(again) == [1]
    await again.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    connection.close()
    assert "applied" in tables
    assert "dead_letters" not in tables


async def test_concurrent_batches_share_commits(store: SqliteStore) -> None:
    """64 partitions that apply at once cost far fewer than 64 commits."""
    before = store.statistics()
    await asyncio.gather(*(apply(store, logged(1), partition=p) for p in range(64)))
    after = store.statistics()
    assert after.applied - before.applied == 64
    assert after.commits - before.commits <= 8


async def test_a_failed_commit_leaves_nothing_and_the_next_one_works(store: SqliteStore) -> None:
    """Rows and applied offset go together, or not at all."""

    def fail() -> None:
        raise OSError("no disk today")

    faultpoints.arm("store.before_commit", fail)
    with pytest.raises(StoreUnavailable, match="no disk today"):
        await apply(store, logged(1))
    assert not store.writable()
    assert await offsets(store) == []
    assert await store.applied_offset(Projection.COMMENTS, 0) == 0
    faultpoints.disarm()
    await apply(store, logged(1))
    assert store.writable()
    assert await offsets(store) == [1]
    assert store.statistics().failures == 1


async def test_a_full_disk_heals_by_itself(store: SqliteStore) -> None:
    """While there is no space batches are refused and reads work; then writing goes on."""

    async def limit_pages(pages: int) -> None:
        # The limit is the connection's, so the writer itself has to set it.
        await store._writer.write(
            lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").close()
        )

    await apply(store, logged(0))
    await limit_pages(1)  # SQLite takes this for "not one page more than there are"
    with pytest.raises(StoreUnavailable, match="full"):
        await apply(store, *(logged(offset) for offset in range(1, 2000)))
    assert not store.writable()
    assert await offsets(store) == [0]
    assert await store.applied_offset(Projection.COMMENTS, 0) == 1
    await limit_pages(1 << 20)
    await apply(store, *(logged(offset) for offset in range(1, 2000)))
    assert store.writable()
    assert await offsets(store) == list(range(2000))


async def test_a_deleted_text_is_not_in_the_file(store: SqliteStore, path: Path) -> None:
    """Not even in free space, once the write-ahead log is folded in."""
    await apply(store, logged(1))
    await apply(store, logged(2, kind=EventKind.DELETION, of="c1"))
    await store.close()
    assert b"regrettable" not in await asyncio.to_thread(path.read_bytes)


async def test_a_cancelled_batch_stops_nobody_else(store: SqliteStore) -> None:
    """The writer settles those who still wait."""
    cancelled = asyncio.create_task(apply(store, logged(1), partition=1))
    other = asyncio.create_task(apply(store, logged(2), partition=2))
    await asyncio.sleep(0)
    cancelled.cancel()
    await other
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert 2 in await offsets(store)


async def test_reads_see_what_was_applied_before_while_others_write(store: SqliteStore) -> None:
    """Readers and the writer do not wait for each other."""

    async def write() -> None:
        for offset in range(50):
            await apply(store, logged(offset))
            assert (await offsets(store))[-1] >= offset

    async def read() -> None:
        for _ in range(50):
            seen = await offsets(store)
            assert seen == list(range(len(seen)))

    await asyncio.gather(write(), read(), read())


async def test_after_close_everything_is_refused(store: SqliteStore) -> None:
    """With `StoreUnavailable`, as if the engine were gone."""
    await store.close()
    with pytest.raises(StoreUnavailable):
        await apply(store, logged(1))
    with pytest.raises(StoreUnavailable):
        await store.applied_offset(Projection.COMMENTS, 0)
    assert not store.writable()
