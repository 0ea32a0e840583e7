"""The store on Cassandra against the embedded one: the same batches leave the same answers."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
from tests.cassandra import EPOCH, CassandraKeyspace, new_keyspace

pytestmark = pytest.mark.stack

VIDEOS = ("launch", "keynote")
USERS = ("ada", "bob", "eve")
COMMENTS = 12
START_MS = 1_727_354_096_000
BATCH = 4  # records
EVERYTHING = 1 << 40


class Step(NamedTuple):
    """Apply a batch (again), by a new process or the one before."""

    batch: int
    restarts: bool


def name_of(number: int) -> str:
    """Return an id whose time is a second after that of the one before it."""
    digits = f"{START_MS + 1000 * number:012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-{number:012x}"


comments = st.tuples(
    st.just(EventKind.COMMENT),
    st.integers(0, COMMENTS - 1),
    st.sampled_from([5, 5, 5, 15_000, 100_000]),  # how long after its id it came
    st.none() | st.integers(0, 2),  # parent
)
deletions = st.tuples(
    st.just(EventKind.DELETION), st.integers(0, COMMENTS - 1), st.just(0), st.none()
)
events = st.lists(st.one_of(comments, comments, deletions), min_size=1, max_size=16)
reactions = st.lists(
    st.tuples(st.integers(0, COMMENTS - 1), st.sampled_from(USERS), st.integers(0, 6)),
    min_size=1,
    max_size=16,
)
steps = st.lists(
    st.builds(Step, batch=st.integers(0, 7), restarts=st.sampled_from([False] * 7 + [True])),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def keyspace() -> Iterator[CassandraKeyspace]:
    """One keyspace; each example takes a generation of its own."""
    with new_keyspace() as made:
        yield made


def video_of(number: int) -> str:
    """Return which video a comment is on."""
    return VIDEOS[number % len(VIDEOS)]


def comments_batches(log: Sequence[Any]) -> Iterator[tuple[CommentsBatch, int]]:
    """Return what the comments projection would hand out of a log, in pieces."""
    append_ms = START_MS
    logged = []
    for offset, (kind, number, after_ms, parent) in enumerate(log):
        append_ms = max(append_ms, START_MS + 1000 * number + after_ms)  # never decreases
        event = Event(
            VERSION,
            kind,
            video_of(number),
            name_of(number),
            "ada",
            0,
            None if parent is None else name_of(parent),
            offset,
            append_ms,
            b"text %d" % offset,
        )
        logged.append(LoggedEvent(offset, append_ms, event))
    for start in range(0, len(logged), BATCH):
        piece = logged[start : start + BATCH]
        yield CommentsBatch(piece), piece[-1].offset + 1


def tally_batches(log: Sequence[Any]) -> Iterator[tuple[TallyBatch, int]]:
    """Return batches as the tally makes them: the latest of each key, with totals."""
    for start in range(0, len(log), BATCH):
        rows: dict[tuple[int, str], ReactionRow] = {}
        totals: dict[int, Totals] = {}
        hearts: dict[str, HeartTotals] = {}
        for offset in range(start, min(start + BATCH, len(log))):
            number, user, code = log[offset]
            video, name = video_of(number), name_of(number)
            rows[number, user] = ReactionRow(video, name, user, code, offset)
            totals[number] = Totals(video, name, (offset, code), offset)
            hearts[video] = HeartTotals(video, 1, (offset + 1,), offset)
        batch = TallyBatch(list(rows.values()), list(totals.values()), list(hearts.values()))
        yield batch, min(start + BATCH, len(log))


async def answers(store: CommentStore) -> list[Any]:
    """Ask everything that can be asked."""
    found: list[Any] = [
        await store.applied_offset(Projection.COMMENTS, 0),
        await store.applied_offset(Projection.TALLY, 0),
    ]
    for video in VIDEOS:
        found.append(await store.comments(video, start=0, end=EVERYTHING, limit=100))
        found.append(await store.comments(video, start=1, end=9, limit=2))
        found.append(await store.comments(video, start=1, end=9, limit=2, newest=True))
        for parent in range(3):
            name = name_of(parent)
            found.append(await store.replies(video, name, start=0, end=EVERYTHING, limit=3))
        names = [name_of(number) for number in range(COMMENTS)]
        rows = await store.reactions(video, names)
        found.append({key: sorted(some, key=lambda row: row.user_id) for key, some in rows.items()})
        found.append(await store.totals(video, names))
        found.append(await store.hearts(video))
        pairs = [(name, user) for name in names for user in USERS]
        found.append(await store.reactions_of(video, pairs))
    return found


async def run(store: CommentStore, batches: Sequence[Any], order: Sequence[Step]) -> list[Any]:
    """Apply batches in some order, over restarts; return what the store answers then."""
    await store.start()
    for step in order:
        if step.restarts:
            await store.close()
            await store.start()
        batch, upto = batches[step.batch % len(batches)]
        await store.apply(0, batch, upto=upto)
    found = await answers(store)
    await store.close()
    return found


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(event_log=events, reaction_log=reactions, order=steps)
def test_both_stores_answer_alike_whatever_came_in_which_order(
    keyspace: CassandraKeyspace, event_log: Any, reaction_log: Any, order: list[Step]
) -> None:
    """Batches late, twice and over restarts; deletions before and after what they delete."""
    batches = [*comments_batches(event_log), *tally_batches(reaction_log)]
    cassandra = keyspace.store(generation=keyspace.next_generation(), bucket_shift=1)
    with TemporaryDirectory() as folder:
        embedded = SqliteStore(Path(folder) / "store.db", generation=1, log_epoch=EPOCH)
        expected = asyncio.run(run(embedded, batches, order))
        assert asyncio.run(run(cassandra, batches, order)) == expected
