"""Disk full, I/O errors at commit, files that are not ours: what is said and how it ends."""

import asyncio
import sqlite3
import time

import pytest

from groundswell.contract import faultpoints
from groundswell.contract.ports.log import LogFull, LogUnavailable, OutcomeUnknown, Topic
from groundswell.log import SqliteLog

HOUR_MS = 3_600_000
EVENTS = Topic.EVENTS


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    """A failed log is tried again at once rather than after a second."""
    monkeypatch.setattr("groundswell.log.writer.RETRY_S", 0.02)


def fail_once(name):
    """Return an action that raises an error of SQLite the first time."""

    def act():
        faultpoints.disarm()
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = name
        raise error

    return act


async def until_writable(log):
    """Wait until the log works again."""
    deadline = time.monotonic() + 10
    while not log.writable():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)  # `writable` is a plain question: there is nothing to await


async def append_for_ever(log):
    """Append large records until that fails."""
    while True:
        await log.append(EVENTS, 0, b"x" * 20_000)


async def values(log, topic=EVENTS):
    """Return all values of partition 0."""
    return [r.value for r in (await log.read(topic, 0, (await log.bounds(topic, 0)).first)).records]


async def test_an_error_before_commit_appends_nothing(folder):
    """Every record of the batch is refused, and the log comes back by itself."""
    log = await folder.open()
    await log.append(EVENTS, 0, b"before")
    faultpoints.arm("log.before_commit", fail_once("SQLITE_IOERR_WRITE"))
    with pytest.raises(LogUnavailable):
        await log.append(EVENTS, 0, b"lost")
    assert not log.writable()
    await until_writable(log)
    assert (await log.append(EVENTS, 0, b"after")).offset == 1
    assert await values(log) == [b"before", b"after"]
    assert log.statistics().failures == 1


async def test_a_failed_fsync_leaves_the_outcome_open_and_is_read_again(folder):
    """The record is in the file: after opening it again readers have it, and offsets go on."""
    log = await folder.open()
    tail = log.tail()
    tail.follow(EVENTS, 0, 0)
    faultpoints.arm("log.after_commit", fail_once("SQLITE_IOERR_FSYNC"))
    with pytest.raises(OutcomeUnknown):
        await log.append(EVENTS, 0, b"in doubt")
    await until_writable(log)
    assert (await log.append(EVENTS, 0, b"after")).offset == 1
    assert await values(log) == [b"in doubt", b"after"]
    found = []
    async with asyncio.timeout(10):
        while len(found) < 2:
            found += [r.value for batch in await tail.next_batches() for r in batch.records]
    assert found == [b"in doubt", b"after"]
    await tail.close()


async def test_nothing_is_acknowledged_until_the_file_was_opened_again(folder, monkeypatch):
    """Meanwhile appends fail at once."""
    monkeypatch.setattr("groundswell.log.writer.RETRY_S", 30)
    log = await folder.open()
    moved = folder.path.with_name("moved.db")

    def fail_and_take_the_file_away():
        folder.path.rename(moved)
        folder.path.mkdir()
        fail_once("SQLITE_IOERR_FSYNC")()

    faultpoints.arm("log.after_commit", fail_and_take_the_file_away)
    with pytest.raises(OutcomeUnknown):
        await log.append(EVENTS, 0, b"in doubt")
    for _ in range(3):
        with pytest.raises(LogUnavailable):
            await log.append(EVENTS, 0, b"refused")
        assert not log.writable()


async def test_a_full_disk_refuses_the_batch_and_retention_makes_room(folder, clock):
    """`LogFull` for everybody in it, reading goes on, and space that returns is used by itself."""
    log = await folder.open(max_bytes=1 << 20, retention_ms=HOUR_MS)
    with pytest.raises(LogFull):
        await append_for_ever(log)
    _, accepted = await log.bounds(EVENTS, 0)
    assert accepted > 10
    assert not log.writable()
    results = await asyncio.gather(
        *[log.append(EVENTS, 0, b"x" * 20_000) for _ in range(3)], return_exceptions=True
    )
    assert [type(result) for result in results] == [LogFull] * 3
    assert len((await log.read(EVENTS, 0, 0)).records) == accepted
    clock.advance(2 * 3600)
    await log.run_upkeep()
    await until_writable(log)
    assert (await log.append(EVENTS, 0, b"x" * 20_000)).offset == accepted


async def test_a_file_of_somebody_else_is_not_touched(folder):
    """Another database, or no database at all."""
    connection = sqlite3.connect(folder.path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(LogUnavailable, match="not a log of Groundswell"):
        await folder.open()
    folder.path.write_bytes(b"this is not a database, it is a letter to a friend" * 100)
    with pytest.raises(LogUnavailable, match="not a log of Groundswell"):
        await folder.open()


async def test_a_newer_file_is_not_touched(folder):
    """The text says what to do."""
    await (await folder.open()).close()
    connection = sqlite3.connect(folder.path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LogUnavailable, match="upgrade the program"):
        await folder.open()


async def test_the_number_of_partitions_is_fixed(folder):
    """Another number would send videos to other partitions."""
    await (await folder.open()).close()
    with pytest.raises(LogUnavailable, match="has 4 partitions"):
        await folder.open(partitions=8)


async def test_two_processes_cannot_have_one_log(folder, clock):
    """They would hand out the same offsets."""
    log = await folder.open()
    second = SqliteLog(folder.path, clock=clock, partitions=4)
    with pytest.raises(LogUnavailable, match="another process"):
        await second.start()
    await second.close()
    assert (await log.append(EVENTS, 0, b"x")).offset == 0


async def test_a_folder_that_is_not_there_is_named(tmp_path, clock):
    """The text says what to check."""
    log = SqliteLog(tmp_path / "nowhere" / "log.db", clock=clock)
    with pytest.raises(LogUnavailable, match="check that its folder exists"):
        await log.start()


async def test_a_bug_in_the_writer_leaves_nobody_waiting(folder, monkeypatch, caplog):
    """Who waits is told, later appends are refused at once, and the log says that it is down."""
    log = await folder.open()
    await log.append(Topic.EVENTS, 0, b"before")

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("groundswell.log.writer.Writer._count", broken)
    with pytest.raises(OutcomeUnknown):
        await log.append(Topic.EVENTS, 0, b"during")
    with pytest.raises(LogUnavailable):
        await log.append(Topic.EVENTS, 0, b"after")
    assert not log.writable()
    assert "writer ended" in caplog.text
