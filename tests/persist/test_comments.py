"""The comments projection: log order in, rows out, whatever happens in between."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

import msgspec
import pytest

from groundswell.contract import faultpoints
from groundswell.contract.dedup import WINDOW_MS
from groundswell.contract.events import VERSION, Event, EventKind, encode
from groundswell.contract.partition import key_hash64
from groundswell.contract.ports.log import Log, Record, Topic
from groundswell.contract.ports.store import CommentsBatch, Projection
from groundswell.persist.backoff import Backoff
from groundswell.persist.comments import comments_projection
from groundswell.persist.dead_letters import DeadLetter, LogDeadLetters
from groundswell.persist.projection import ProjectionWorker
from groundswell.persist.sqlite_store import SqliteStore

WaitUntil = Callable[[Callable[[], bool]], Awaitable[None]]
QUICK = Backoff(first=0.001, longest=0.01)
VIDEO = "launch"


class Group(Protocol):
    """What a test sees of the log's group."""

    commits: dict[int, int]
    closed: bool

    def take_away(self, partition: int) -> None: ...


class TestLog(Log, Protocol):
    """The log in memory, see conftest."""

    __test__: ClassVar[bool] = False
    records: dict[tuple[Topic, int], list[Record]]
    now_ms: int
    refused_commits: int

    @property
    def groups(self) -> list[Group]: ...


def event(
    comment_id: str,
    *,
    kind: int = EventKind.COMMENT,
    key_hash: int | None = None,
    video: str = VIDEO,
) -> bytes:
    """Return the bytes of an event; without `key_hash` one that no other event has."""
    if key_hash is None:
        key_hash = key_hash64(video, "ada", f"{kind}/{comment_id}")
    public = b'{"commentID":"%b"}' % comment_id.encode()
    return encode(Event(VERSION, kind, video, comment_id, "ada", 0, None, key_hash, 1, public))


async def append(log: Log, *values: bytes, partition: int = 0) -> None:
    """Append records to `events`."""
    for value in values:
        await log.append(Topic.EVENTS, partition, value)


async def stored(store: SqliteStore, *, video: str = VIDEO) -> list[str]:
    """Return the ids of all comments."""
    page = await store.comments(video, start=0, end=1 << 40, limit=10_000)
    return [comment.comment_id for comment in page]


def projection(log: Log, store: SqliteStore) -> ProjectionWorker[Event, CommentsBatch]:
    """Return a worker that does not wait long."""
    return comments_projection(log, store, dead_letters=LogDeadLetters(log), backoff=QUICK)


async def catch_up(log: Log, store: SqliteStore, partition: int = 0) -> None:
    """Wait until the store has the whole partition."""
    end = (await log.bounds(Topic.EVENTS, partition)).end
    async with asyncio.timeout(20):
        while await store.applied_offset(Projection.COMMENTS, partition) < end:  # noqa: ASYNC110  no event
            await asyncio.sleep(0)


async def run(log: Log, store: SqliteStore) -> ProjectionWorker[Event, CommentsBatch]:
    """Run a worker until the store has everything; return it, closed."""
    worker = projection(log, store)
    await worker.start()
    await catch_up(log, store)
    await worker.close()
    return worker


async def test_comments_become_rows_in_log_order(log: TestLog, store: SqliteStore) -> None:
    """Deletions take theirs away; the group hears how far the store is."""
    await append(log, event("a"), event("b"), event("a", kind=EventKind.DELETION), event("c"))
    await run(log, store)
    assert await stored(store) == ["b", "c"]
    assert log.groups[0].commits[0] == 4
    assert log.groups[0].closed


async def test_a_duplicate_within_the_window_is_dropped(log: TestLog, store: SqliteStore) -> None:
    """The first of equal keys stays."""
    await append(log, event("a", key_hash=1), event("b", key_hash=2), event("c", key_hash=1))
    worker = await run(log, store)
    assert await stored(store) == ["a", "b"]
    assert worker.statistics().duplicates == 1


async def test_beyond_the_window_a_key_is_new(log: TestLog, store: SqliteStore) -> None:
    """60 s of append time after the first."""
    await append(log, event("a", key_hash=1))
    log.now_ms += WINDOW_MS + 1
    await append(log, event("b", key_hash=1))
    await run(log, store)
    assert await stored(store) == ["a", "b"]


@pytest.mark.parametrize("cut", range(6))
async def test_a_restart_anywhere_gives_the_same_rows(
    log: TestLog, store: SqliteStore, cut: int
) -> None:
    """A worker that starts behind a comment still knows it for the first of its key."""
    values = [
        event("a", key_hash=1),
        event("b", key_hash=2),
        event("c", key_hash=1),
        event("b", kind=EventKind.DELETION),
        event("d", key_hash=2),
        event("e", key_hash=5),
    ]
    await append(log, *values[:cut])
    await run(log, store)
    await append(log, *values[cut:])
    worker = await run(log, store)
    assert await stored(store) == ["a", "e"]
    assert worker.statistics().duplicates == 2 - (cut > 2) - (cut > 4)


@pytest.mark.parametrize(
    "point",
    ["persist.comments.before_apply", "store.before_commit", "persist.comments.after_apply"],
)
async def test_a_crash_at_any_point_gives_the_same_rows(
    log: TestLog, store: SqliteStore, point: str
) -> None:
    """The projection starts again by itself, from what the store has."""
    crashes = 0

    def crash() -> None:
        nonlocal crashes
        crashes += 1
        if crashes <= 2:
            raise RuntimeError("crash")

    faultpoints.arm(point, crash)
    await append(log, *(event(str(n), key_hash=n % 7) for n in range(20)))
    worker = projection(log, store)
    await worker.start()
    await catch_up(log, store)
    await append(log, event("last"))
    await catch_up(log, store)
    await worker.close()
    assert crashes >= 2
    assert await stored(store) == [*map(str, range(7)), "last"]


async def test_an_unreadable_record_is_put_aside(log: TestLog, store: SqliteStore) -> None:
    """With its offset; the partition moves on, and a kind of a later program is skipped."""
    await append(log, event("a"), b"\xc1", event("x", kind=99), event("b"))
    worker = await run(log, store)
    assert await stored(store) == ["a", "b"]
    assert worker.statistics().dead_letters == 1
    (kept,) = log.records[Topic.DEAD_LETTERS, 0]
    letter = msgspec.msgpack.decode(kept.value or b"", type=DeadLetter)
    assert (letter.topic, letter.partition, letter.offset) == ("events", 0, 1)


async def test_a_lost_partition_is_not_written_any_more(log: TestLog, store: SqliteStore) -> None:
    """Others go on."""
    worker = projection(log, store)
    await worker.start()
    await append(log, event("a"))
    await catch_up(log, store)
    log.groups[0].take_away(0)
    await append(log, event("b"))
    await append(log, event("c", video="other"), partition=1)
    await catch_up(log, store, partition=1)
    assert worker.statistics().partitions == 1
    await worker.close()
    assert await stored(store) == ["a"]
    assert await stored(store, video="other") == ["c"]
    assert await store.applied_offset(Projection.COMMENTS, 0) == 1


async def test_lag_is_what_the_store_does_not_have(
    log: TestLog, store: SqliteStore, wait_until: WaitUntil
) -> None:
    """While the store refuses, records wait and are counted; then they are written in order."""
    refusing = True

    def refuse() -> None:
        if refusing:
            raise OSError("no disk today")

    faultpoints.arm("store.before_commit", refuse)
    worker = projection(log, store)
    await worker.start()
    await append(log, *(event(str(n)) for n in range(5)))
    await wait_until(lambda: worker.statistics().retries >= 3)
    assert await worker.lag() == 5
    assert await stored(store) == []
    refusing = False
    await catch_up(log, store)
    await wait_until(lambda: log.groups[0].commits.get(0) == 5)
    assert await worker.lag() == 0
    assert await stored(store) == list("01234")
    await worker.close()


async def test_a_worker_closes_while_the_store_refuses(
    log: TestLog, store: SqliteStore, wait_until: WaitUntil
) -> None:
    """Without waiting for the store; the next worker goes on where the store is."""

    def refuse() -> None:
        raise OSError("no disk today")

    faultpoints.arm("store.before_commit", refuse)
    worker = comments_projection(
        log, store, dead_letters=LogDeadLetters(log), backoff=Backoff(first=600, longest=600)
    )
    await worker.start()
    await append(log, event("a"))
    await wait_until(lambda: worker.statistics().retries == 1)
    async with asyncio.timeout(5):
        await worker.close()
    faultpoints.disarm()
    await run(log, store)
    assert await stored(store) == ["a"]


async def test_a_commit_that_fails_is_no_failure(log: TestLog, store: SqliteStore) -> None:
    """The store knows where to go on; the group's offset follows with the next batch."""
    log.refused_commits = 1
    await append(log, event("a"))
    worker = projection(log, store)
    await worker.start()
    await catch_up(log, store)
    await append(log, event("b"))
    await catch_up(log, store)
    await worker.close()
    assert log.groups[0].commits[0] == 2
    assert worker.statistics().restarts == 0


async def test_a_store_ahead_of_the_log_waits_for_the_operator(
    log: TestLog,
    store: SqliteStore,
    new_log: Callable[..., TestLog],
    wait_until: WaitUntil,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is written from a log that is shorter than what the store already has."""
    await append(log, *(event(str(n)) for n in range(3)))
    await run(log, store)
    shorter = new_log()
    await append(shorter, event("other"))
    worker = projection(shorter, store)
    await worker.start()
    said = ""

    def told() -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return "the log ends at 1" in said

    await wait_until(told)
    assert await stored(store) == ["0", "1", "2"]
    assert worker.statistics().partitions == 0
    await worker.close()
