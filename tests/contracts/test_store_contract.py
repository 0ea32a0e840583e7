"""What every comment store must do, whatever its engine; only methods of the port are used."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from groundswell.contract.events import VERSION, Event, EventKind, LoggedEvent
from groundswell.contract.ports.store import (
    CommentsBatch,
    CommentStore,
    HeartTotals,
    Projection,
    ReactionRow,
    TallyBatch,
    Totals,
)
from groundswell.persist.sqlite_store import SqliteStore
from tests.cassandra import CassandraKeyspace, new_keyspace

OpenStore = Callable[[], Awaitable[CommentStore]]
"""Opens the same store again: what one wrote, the next one finds."""

EPOCH = "0123456789abcdef"
VIDEO = "launch"
EVERYTHING = 1 << 40


class StoreEngine(Protocol):
    """What the suite needs of an engine: the same store, once more."""

    def open(self) -> CommentStore:
        """Return the store, not started."""
        ...


class SqliteEngine:
    """A file of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "store.db"

    def open(self) -> CommentStore:
        return SqliteStore(self._path, generation=1, log_epoch=EPOCH)


class CassandraEngine:
    """A generation of the test's own in the run's keyspace; buckets so small that many fill."""

    def __init__(self, keyspace: CassandraKeyspace) -> None:
        self._keyspace = keyspace
        self._generation = keyspace.next_generation()

    def open(self) -> CommentStore:
        return self._keyspace.store(generation=self._generation, bucket_shift=1)


@pytest.fixture(scope="session")
def cassandra_keyspace() -> Iterator[CassandraKeyspace]:
    """One keyspace for the whole run: to make tables takes seconds."""
    with new_keyspace() as keyspace:
        yield keyspace


@pytest.fixture(params=["sqlite", pytest.param("cassandra", marks=pytest.mark.stack)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> StoreEngine:
    """Every engine of the store."""
    if request.param == "cassandra":
        return CassandraEngine(request.getfixturevalue("cassandra_keyspace"))
    return SqliteEngine(tmp_path)


@pytest.fixture
async def open_store(engine: StoreEngine) -> AsyncIterator[OpenStore]:
    """Open one engine's store; a former one is closed first."""
    opened: list[CommentStore] = []

    async def open_again() -> CommentStore:
        for former in opened:
            await former.close()
        store = engine.open()
        opened.append(store)
        await store.start()
        return store

    yield open_again
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: OpenStore) -> CommentStore:
    """An empty store."""
    return await open_store()


def comment(
    offset: int, *, video: str = VIDEO, parent: str | None = None, name: str | None = None
) -> LoggedEvent:
    """Return the event of a comment; its id is `c<offset>` unless named."""
    comment_id = name or f"c{offset}"
    event = Event(
        VERSION,
        EventKind.COMMENT,
        video,
        comment_id,
        "ada",
        0,
        parent,
        offset,
        1000 + offset,
        f'{{"commentID":"{comment_id}"}}'.encode(),
    )
    return LoggedEvent(offset, 1000 + offset, event)


def deletion(offset: int, comment_id: str, *, video: str = VIDEO) -> LoggedEvent:
    """Return the event of a deletion."""
    event = Event(
        VERSION, EventKind.DELETION, video, comment_id, "mod", 0, None, offset, 1000, b"{}"
    )
    return LoggedEvent(offset, 1000 + offset, event)


async def apply_events(store: CommentStore, *events: LoggedEvent, partition: int = 0) -> None:
    """Apply events up to the last of them."""
    await store.apply(partition, CommentsBatch(events), upto=events[-1].offset + 1)


async def comment_ids(store: CommentStore, *, video: str = VIDEO) -> list[str]:
    """Return the ids of all comments, in order."""
    page = await store.comments(video, start=0, end=EVERYTHING, limit=1000)
    return [stored.comment_id for stored in page]


async def test_an_empty_store_has_nothing(store: CommentStore) -> None:
    """Offsets start at 0, and reads of unknown videos are empty, not errors."""
    assert await store.applied_offset(Projection.COMMENTS, 5) == 0
    assert await comment_ids(store) == []
    assert await store.replies(VIDEO, "c1", start=0, end=EVERYTHING, limit=10) == []
    assert await store.totals(VIDEO, ["c1"]) == {}
    assert await store.hearts(VIDEO) == []
    assert await store.reactions(VIDEO, ["c1"]) == {}
    assert await store.reactions_of(VIDEO, [("c1", "ada")]) == {}


async def test_applied_comments_are_read_back_in_log_order(store: CommentStore) -> None:
    """Every field survives; the store counts as writable."""
    await apply_events(store, comment(3), comment(7), comment(8))
    page = await store.comments(VIDEO, start=0, end=EVERYTHING, limit=10)
    assert [stored.offset for stored in page] == [3, 7, 8]
    assert page[0].append_ms == 1003
    assert page[0].comment_id == "c3"
    assert page[0].public_json == b'{"commentID":"c3"}'
    assert store.writable()


async def test_a_page_keeps_to_its_bounds(store: CommentStore) -> None:
    """`start` is in, `end` is out, `limit` cuts from the start or, asked for newest, the end."""
    await apply_events(store, *(comment(offset) for offset in range(10)))

    async def offsets(*, start: int, end: int, limit: int) -> list[int]:
        page = await store.comments(VIDEO, start=start, end=end, limit=limit)
        return [stored.offset for stored in page]

    assert await offsets(start=2, end=5, limit=10) == [2, 3, 4]
    assert await offsets(start=2, end=9, limit=2) == [2, 3]
    newest = await store.comments(VIDEO, start=2, end=9, limit=2, newest=True)
    assert [stored.offset for stored in newest] == [7, 8]


async def test_videos_of_one_partition_are_apart(store: CommentStore) -> None:
    """A page holds one video's comments."""
    await apply_events(store, comment(1), comment(2, video="other"), comment(3))
    assert await comment_ids(store) == ["c1", "c3"]
    assert await comment_ids(store, video="other") == ["c2"]


async def test_a_deleted_comment_is_in_no_page(store: CommentStore) -> None:
    """Neither as a comment nor as a reply; its own replies stand."""
    await apply_events(
        store, comment(1), comment(2, parent="c1"), comment(3, parent="c1"), deletion(4, "c2")
    )
    await apply_events(store, deletion(5, "c1"))
    assert await comment_ids(store) == ["c3"]
    replies = await store.replies(VIDEO, "c1", start=0, end=EVERYTHING, limit=10)
    assert [stored.comment_id for stored in replies] == ["c3"]


async def test_replies_keep_to_their_bounds(store: CommentStore) -> None:
    """`start`, `end` and `limit` mean the same as in a page of comments."""
    await apply_events(store, *(comment(offset, parent="top") for offset in range(1, 9)))
    replies = await store.replies(VIDEO, "top", start=3, end=8, limit=3)
    assert [stored.offset for stored in replies] == [3, 4, 5]


async def test_a_replay_brings_no_deleted_comment_back(store: CommentStore) -> None:
    """Applying an older batch after a newer one changes nothing, nor the applied offset."""
    await apply_events(store, comment(1), comment(2))
    await apply_events(store, deletion(3, "c1"))
    await apply_events(store, comment(1), comment(2))
    assert await comment_ids(store) == ["c2"]
    assert await store.applied_offset(Projection.COMMENTS, 0) == 4


async def test_a_deletion_is_about_its_own_video(store: CommentStore) -> None:
    """The same id in another video stays."""
    await apply_events(store, comment(1, name="x"), comment(2, name="x", video="other"))
    await apply_events(store, deletion(3, "x"))
    assert await comment_ids(store) == []
    assert await comment_ids(store, video="other") == ["x"]


async def test_applied_offsets_are_per_projection_and_partition(open_store: OpenStore) -> None:
    """They survive the process, and move although a batch is empty."""
    store = await open_store()
    await apply_events(store, comment(9), partition=3)
    await store.apply(3, TallyBatch([], [], []), upto=5)
    await store.apply(4, CommentsBatch([]), upto=70)
    for opened_again in (False, True):
        if opened_again:
            store = await open_store()
        assert await store.applied_offset(Projection.COMMENTS, 3) == 10
        assert await store.applied_offset(Projection.TALLY, 3) == 5
        assert await store.applied_offset(Projection.COMMENTS, 4) == 70
        assert await store.applied_offset(Projection.TALLY, 4) == 0


async def test_comments_survive_the_process(open_store: OpenStore) -> None:
    """What was applied is there when the store is opened again."""
    await apply_events(await open_store(), comment(1), comment(2))
    assert await comment_ids(await open_store()) == ["c1", "c2"]


def like(user: str, offset: int, *, code: int = 1, name: str = "c1") -> ReactionRow:
    """Return a row of a reaction."""
    return ReactionRow(VIDEO, name, user, code, offset)


async def test_reactions_and_totals_are_read_back(store: CommentStore) -> None:
    """Rows come with their offsets, taken back ones too; a pair that has none is absent."""
    rows = [like("ada", 5), like("bob", 6, code=0), like("ada", 7, code=3, name="c2")]
    totals = [Totals(VIDEO, "c1", (1, 0, 0, 0, 0, 0), 6), Totals(VIDEO, "c2", (0, 0, 1), 7)]
    hearts = [HeartTotals(VIDEO, 2, (9,), 7), HeartTotals(VIDEO, 1, (0, 4), 3)]
    await store.apply(1, TallyBatch(rows, totals, hearts), upto=8)
    found = await store.reactions(VIDEO, ["c1", "c2", "c3", "c1"])
    assert {name: set(map(_fields, rows)) for name, rows in found.items()} == {
        "c1": {("ada", 1, 5), ("bob", 0, 6)},
        "c2": {("ada", 3, 7)},
    }
    assert await store.totals(VIDEO, ["c1", "c2", "c3"]) == {t.comment_id: t for t in totals}
    assert {(part.source, part.counts, part.offset) for part in await store.hearts(VIDEO)} == {
        (2, (9,), 7),
        (1, (0, 4), 3),
    }
    pairs = [("c1", "ada"), ("c1", "bob"), ("c2", "ada"), ("c2", "bob"), ("c1", "ada")]
    assert await store.reactions_of(VIDEO, pairs) == {("c1", "ada"): 1, ("c2", "ada"): 3}


async def test_an_older_reaction_never_replaces_a_newer_one(store: CommentStore) -> None:
    """Rows, totals and hearts alike, in whatever order batches come."""
    newer = TallyBatch(
        [like("ada", 9, code=2)],
        [Totals(VIDEO, "c1", (0, 1), 9)],
        [HeartTotals(VIDEO, 0, (8,), 9)],
    )
    older = TallyBatch(
        [like("ada", 4, code=1)],
        [Totals(VIDEO, "c1", (1, 0), 4)],
        [HeartTotals(VIDEO, 0, (3,), 4)],
    )
    for batch, upto in ((newer, 10), (older, 5), (newer, 10)):
        await store.apply(0, batch, upto=upto)
    assert await store.reactions(VIDEO, ["c1"]) == {"c1": [like("ada", 9, code=2)]}
    assert (await store.totals(VIDEO, ["c1"]))["c1"].counts == (0, 1)
    assert [part.counts for part in await store.hearts(VIDEO)] == [(8,)]
    assert await store.applied_offset(Projection.TALLY, 0) == 10


async def test_closing_twice_is_closing_once(open_store: OpenStore) -> None:
    """`close` is idempotent."""
    store = await open_store()
    await store.close()
    await store.close()


def _fields(row: ReactionRow) -> tuple[str, int, int]:
    return row.user_id, row.code, row.offset
