"""What only the store on Cassandra promises: bounded partitions, order by timestamps, recovery."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from groundswell.contract import faultpoints
from groundswell.contract.events import VERSION, Event, EventKind, LoggedEvent
from groundswell.contract.ids import CommentIds
from groundswell.contract.ports.store import (
    CommentsBatch,
    Projection,
    ReactionRow,
    StoredComment,
    StoreMismatch,
    StoreUnavailable,
    TallyBatch,
    Totals,
)
from groundswell.persist.cassandra_schema import migrate_store
from groundswell.persist.cassandra_session import connect
from groundswell.persist.cassandra_store import CassandraStore
from tests.cassandra import EPOCH, CassandraKeyspace, drop, new_keyspace, settings_of_run

pytestmark = pytest.mark.stack

VIDEO = "launch"
START_MS = 1_727_354_096_000
SHIFT = 2  # four offsets a bucket
TEXT = b'{"commentText":"regrettable"}'
EVERYTHING = 1 << 40


class Minted:
    """Events whose ids have the time that they were minted at, a second apart."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self._ids = CommentIds(b"0" * 32, now_ms=lambda: self.now_ms)

    def comment(
        self, offset: int, *, late_ms: int = 5, parent: str | None = None, video: str = VIDEO
    ) -> LoggedEvent:
        """Return a comment that is appended `late_ms` after its id was minted."""
        self.now_ms = max(self.now_ms, START_MS + 1000 * offset)
        name = self._ids.mint(video)
        event = Event(
            VERSION, EventKind.COMMENT, video, name, "ada", 0, parent, offset, self.now_ms, TEXT
        )
        return LoggedEvent(offset, START_MS + 1000 * offset + late_ms, event)


def deletion(offset: int, of: LoggedEvent) -> LoggedEvent:
    """Return the deletion of a comment."""
    name = of.event.comment_id
    event = Event(VERSION, EventKind.DELETION, VIDEO, name, "mod", 0, None, offset, 1, b"{}")
    return LoggedEvent(offset, START_MS + 1000 * offset, event)


@pytest.fixture(scope="module")
def keyspace() -> Iterator[CassandraKeyspace]:
    """One keyspace; each test takes a generation of its own."""
    with new_keyspace() as made:
        yield made


@pytest.fixture
async def store(keyspace: CassandraKeyspace) -> AsyncIterator[CassandraStore]:
    """An open, empty store with small buckets."""
    store = keyspace.store(generation=keyspace.next_generation(), bucket_shift=SHIFT)
    await store.start()
    yield store
    await store.close()


@pytest.fixture
def minted() -> Minted:
    """Ids and times of a test's own."""
    return Minted()


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """No fault point outlives its test."""
    yield
    faultpoints.disarm()


async def apply(store: CassandraStore, *events: LoggedEvent) -> None:
    """Apply events up to the last of them."""
    await store.apply(0, CommentsBatch(events), upto=events[-1].offset + 1)


async def page(store: CassandraStore, **asked: Any) -> list[int]:
    """Return the offsets of a page."""
    asked = {"start": 0, "end": EVERYTHING, "limit": 1000} | asked
    return _offsets(await store.comments(VIDEO, **asked))


def _offsets(found: list[StoredComment]) -> list[int]:
    return [comment.offset for comment in found]


async def rows_of(
    store: CassandraStore, keyspace: CassandraKeyspace, table: str, columns: str
) -> list[Any]:
    """Ask Cassandra itself for what the store's generation has in a table, in order."""

    def ask() -> list[Any]:
        cluster, session = connect(keyspace.settings, keyspace=keyspace.settings.keyspace)
        generation = store._identity.generation
        query = f"SELECT {columns} FROM {table} WHERE generation = {generation} ALLOW FILTERING"  # noqa: S608  names of this file
        rows = sorted(session.execute(query))
        cluster.shutdown()
        return rows

    return await asyncio.to_thread(ask)


async def test_no_partition_has_more_rows_than_a_bucket(
    keyspace: CassandraKeyspace, store: CassandraStore, minted: Minted
) -> None:
    """However many comments a video and a parent have; each bucket is listed with its first."""
    top = minted.comment(0)
    replies = [minted.comment(offset, parent=top.event.comment_id) for offset in range(1, 30)]
    await apply(store, top, *replies)
    for table, first in (("comments", 0), ("replies", 1)):
        rows = await rows_of(store, keyspace, table, 'bucket, "offset"')
        assert rows == [(offset >> SHIFT, offset) for offset in range(first, 30)]
    listed = await rows_of(store, keyspace, "video_buckets", "bucket, first_append_ms")
    assert listed == [(b, START_MS + 1000 * (b << SHIFT) + 5) for b in range(8)]
    found = await store.replies(VIDEO, top.event.comment_id, start=3, end=EVERYTHING, limit=20)
    assert _offsets(found) == list(range(3, 23))


async def test_a_bucket_is_listed_with_its_first_comment_whoever_writes_it(
    keyspace: CassandraKeyspace, store: CassandraStore, minted: Minted
) -> None:
    """A later process does not know what is listed, and an older batch may come after a newer."""
    comments = [minted.comment(offset) for offset in range(4)]
    await apply(store, comments[1])
    await store.close()
    await store.start()
    await apply(store, comments[2], comments[3])
    columns = "bucket, first_append_ms"
    listed = await rows_of(store, keyspace, "video_buckets", columns)
    assert listed == [(0, comments[1].append_ms)]
    await apply(store, comments[0])
    listed = await rows_of(store, keyspace, "video_buckets", columns)
    assert listed == [(0, comments[0].append_ms)]


async def test_pages_cross_buckets_and_gaps_in_both_directions(
    store: CassandraStore, minted: Minted
) -> None:
    """A quiet video has one comment in each of many buckets, far apart."""
    offsets = [7 * number for number in range(60)]
    await apply(store, *(minted.comment(offset) for offset in offsets))
    assert await page(store) == offsets
    assert await page(store, start=8, limit=45) == offsets[2:47]
    assert await page(store, end=8 * 7 + 1, limit=5, newest=True) == offsets[4:9]
    assert await page(store, limit=50, newest=True) == offsets[10:]
    assert await page(store, start=1, end=7) == []
    assert await page(store, start=7, end=7) == []


async def test_deleted_comments_do_not_shorten_a_page(
    store: CassandraStore, minted: Minted
) -> None:
    """What they took of a bucket's first answer is read after it."""
    comments = [minted.comment(offset) for offset in range(12)]
    gone = [deletion(20 + offset, comments[offset]) for offset in (0, 1, 2, 5, 9, 10, 11)]
    await apply(store, *comments, *gone)
    assert await page(store, limit=2) == [3, 4]
    assert await page(store, limit=2, newest=True) == [7, 8]
    assert await page(store) == [3, 4, 6, 7, 8]


@pytest.mark.parametrize("late_ms", [-60_000, -5000, 0, 15_000, 60_000, 3_600_000])
async def test_a_deletion_finds_its_comment_however_late_that_came(
    keyspace: CassandraKeyspace, store: CassandraStore, minted: Minted, late_ms: int
) -> None:
    """In any bucket, also where the clocks differ; its text is gone from both copies."""
    before = [minted.comment(offset, late_ms=late_ms) for offset in range(10)]
    reply = minted.comment(10, late_ms=late_ms, parent=before[0].event.comment_id)
    after = [minted.comment(offset, late_ms=late_ms) for offset in range(11, 20)]
    await apply(store, *before, reply, *after)
    await apply(store, deletion(20, reply))
    assert await page(store) == [*range(10), *range(11, 20)]
    parent = before[0].event.comment_id
    assert await store.replies(VIDEO, parent, start=0, end=EVERYTHING, limit=10) == []
    for table in ("comments", "replies"):
        rows = await rows_of(store, keyspace, table, '"offset", public_json, deleted')
        assert (10, b"", True) in rows


async def test_both_rows_of_a_comment_that_came_twice_are_deleted(
    store: CassandraStore, minted: Minted
) -> None:
    """The second came too late for being known as a duplicate; the third is after the deletion."""
    first = minted.comment(1)
    second = LoggedEvent(90, first.append_ms + 300_000, first.event)
    third = LoggedEvent(95, first.append_ms + 310_000, first.event)
    await apply(store, first, second, deletion(93, first), third)
    assert await page(store) == [95]


async def test_a_deletion_of_what_is_not_there_leaves_nothing(
    keyspace: CassandraKeyspace, store: CassandraStore, minted: Minted
) -> None:
    """No row that has no text and no id."""
    absent = minted.comment(3)
    await apply(store, minted.comment(4), deletion(5, absent))
    assert await page(store) == [4]
    assert await rows_of(store, keyspace, "comments", '"offset"') == [(4,)]


@pytest.mark.parametrize("point", ["store.between_rows", "store.before_applied"])
async def test_a_batch_that_was_cut_off_is_applied_when_it_comes_again(
    store: CassandraStore, minted: Minted, point: str
) -> None:
    """Wherever between two writes; the applied offset is never ahead of the rows."""
    events = [minted.comment(offset) for offset in range(9)]
    events.append(deletion(9, events[0]))

    def fail() -> None:
        raise StoreUnavailable("cut off")

    faultpoints.arm(point, fail)
    with pytest.raises(StoreUnavailable, match="cut off"):
        await apply(store, *events)
    assert not store.writable()
    assert await store.applied_offset(Projection.COMMENTS, 0) == 0
    faultpoints.disarm()
    await apply(store, *events)
    assert store.writable()
    assert await page(store) == list(range(1, 9))
    assert await store.applied_offset(Projection.COMMENTS, 0) == 10
    assert store.statistics().failures == 1


async def test_rows_are_found_where_their_totals_were_written_first(
    store: CassandraStore, minted: Minted
) -> None:
    """A batch that was cut off after the totals: rows that came before it are loaded."""
    name = minted.comment(0).event.comment_id
    rows = [ReactionRow(VIDEO, name, f"user-{n}", 1, 5) for n in range(40)]
    first = TallyBatch(rows[:20], [Totals(VIDEO, name, (20,), 5)], [])
    second = TallyBatch(rows[20:], [Totals(VIDEO, name, (40,), 5)], [])
    await store.apply(0, first, upto=6)

    def fail() -> None:
        raise StoreUnavailable("cut off")

    faultpoints.arm("store.before_rows", fail)
    with pytest.raises(StoreUnavailable):
        await store.apply(0, second, upto=7)
    found = (await store.reactions(VIDEO, [name]))[name]
    assert {row.user_id for row in found} == {row.user_id for row in rows[:20]}


async def test_a_new_generation_sees_only_its_own(keyspace: CassandraKeyspace) -> None:
    """And the former log's program is refused from then on, with what to do."""
    minted = Minted()
    old_number, new_number = keyspace.next_generation(), keyspace.next_generation()
    old = keyspace.store(generation=old_number, bucket_shift=SHIFT)
    await old.start()
    await apply(old, minted.comment(1), minted.comment(2))
    new = keyspace.store(generation=new_number, bucket_shift=SHIFT)
    await new.start()
    assert await page(new) == []
    assert await new.applied_offset(Projection.COMMENTS, 0) == 0
    await apply(new, minted.comment(1))
    assert await page(new) == [1]
    await new.close()
    await old.close()
    with pytest.raises(StoreMismatch, match=r"generation \d+.*put the log back"):
        await old.start()
    with pytest.raises(StoreUnavailable, match="not open"):
        await page(old)


async def test_another_log_of_our_generation_is_refused(keyspace: CassandraKeyspace) -> None:
    """So is a program with other buckets: it would look in the wrong ones."""
    generation = keyspace.next_generation()
    store = keyspace.store(generation=generation, bucket_shift=SHIFT)
    await store.start()
    await store.close()
    settings = replace(keyspace.settings, bucket_bits=SHIFT)
    other = CassandraStore(settings, generation=generation, log_epoch="f" * 16)
    with pytest.raises(StoreMismatch, match=f"belongs to log {EPOCH}.*the log here is ffff"):
        await other.start()
    with pytest.raises(StoreMismatch, match=f"set cassandra.bucket_bits = {SHIFT}$"):
        await keyspace.store(generation=generation, bucket_shift=SHIFT + 1).start()


async def test_a_large_batch_wakes_the_loop_once_for_each_of_its_steps(
    store: CassandraStore, minted: Minted
) -> None:
    """Not once for each statement's answer."""
    before = store.statistics()
    await apply(store, *(minted.comment(offset) for offset in range(400)))
    after = store.statistics()
    assert after.write_statements - before.write_statements > 200
    assert after.wakeups - before.wakeups == 2


async def test_a_keyspace_without_tables_says_how_to_make_them() -> None:
    """Making them twice is making them once."""
    settings = settings_of_run()
    store = CassandraStore(settings, generation=1, log_epoch=EPOCH)
    with pytest.raises(StoreUnavailable, match="groundswell migrate"):
        await store.start()
    await migrate_store(settings)
    await migrate_store(settings)
    await store.start()
    assert store.writable()
    await store.close()
    await asyncio.to_thread(drop, settings)


async def test_settings_that_cannot_work_are_refused() -> None:
    """With what is wrong in the text."""
    with pytest.raises(StoreMismatch, match=r"cassandra\.keyspace"):
        await migrate_store(settings_of_run(keyspace="Drop; table"))
    with pytest.raises(StoreMismatch, match="has no node"):
        await migrate_store(settings_of_run(datacenter="atlantis"))
    with pytest.raises(StoreUnavailable, match="could not connect"):
        await migrate_store(settings_of_run(hosts=("127.0.0.1",), port=1, timeout=2.0))
