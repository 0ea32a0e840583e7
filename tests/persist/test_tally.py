"""The tally against a model: whatever fails in between, the numbers come out the same."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.contract import faultpoints
from groundswell.contract.events import (
    VERSION,
    Hearts,
    Reaction,
    ReactionRecord,
    TotalsRecord,
    decode_totals,
    encode,
)
from groundswell.contract.partition import partition_of
from groundswell.contract.ports.log import Log, Record, Topic
from groundswell.contract.ports.store import (
    CommentsBatch,
    Projection,
    ReactionRow,
    StoreUnavailable,
    TallyBatch,
)
from groundswell.contract.reactions import NO_COUNTS
from groundswell.persist.backoff import Backoff
from groundswell.persist.dead_letters import LogDeadLetters
from groundswell.persist.projection import ProjectionWorker
from groundswell.persist.sqlite_store import SqliteStore
from groundswell.persist.tally import tally_projection

WaitUntil = Callable[[Callable[[], bool]], Awaitable[None]]
QUICK = Backoff(first=0.0005, longest=0.002)
EPOCH = "0123456789abcdef"
VIDEOS = ("launch", "finale")
COMMENTS = ("c0", "c1", "c2")
USERS = ("ada", "bob", "eve")


class TestLog(Log, Protocol):
    """The log in memory, see conftest."""

    __test__: ClassVar[bool] = False
    refused_appends: int

    @property
    def records(self) -> dict[tuple[Topic, int], list[Record]]:
        """All records by topic and partition."""
        ...


class FlakyStore(SqliteStore):
    """A store that refuses batches: before it wrote them, or after, as if the answer got lost."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, generation=1, log_epoch=EPOCH)
        self.refuse_before = 0
        self.refuse_after = 0
        self.refused_reads = 0
        self.loads = 0

    async def apply(self, partition: int, batch: CommentsBatch | TallyBatch, *, upto: int) -> None:
        if self.refuse_before:
            self.refuse_before -= 1
            raise StoreUnavailable("refused before")
        await super().apply(partition, batch, upto=upto)
        if self.refuse_after:
            self.refuse_after -= 1
            raise StoreUnavailable("refused after")

    async def reactions(
        self, video_id: str, comment_ids: Sequence[str]
    ) -> dict[str, list[ReactionRow]]:
        if self.refused_reads:
            self.refused_reads -= 1
            raise StoreUnavailable("refused to read")
        self.loads += 1
        return await super().reactions(video_id, comment_ids)


def packed(reactions: Sequence[Reaction], hearts: Sequence[Hearts] = ()) -> bytes:
    """Return the bytes of a packed record."""
    return encode(ReactionRecord(VERSION, 1, list(reactions), list(hearts)))


def react(user: str, code: int, *, comment: str = "c0", video: str = "launch") -> Reaction:
    """Return a reaction."""
    return Reaction(video, comment, user, code)


async def append(log: Log, value: bytes, *, partition: int = 0) -> None:
    """Append a record to `reactions`."""
    await log.append(Topic.REACTIONS, partition, value)


def tally(
    log: Log, store: SqliteStore, *, rows_max: int = 1000
) -> ProjectionWorker[ReactionRecord, TallyBatch]:
    """Return a worker that does not wait long."""
    return tally_projection(
        log, store, dead_letters=LogDeadLetters(log), generation=1, rows_max=rows_max, backoff=QUICK
    )


async def catch_up(log: Log, store: SqliteStore) -> None:
    """Wait until the store has everything."""
    async with asyncio.timeout(20):
        for partition in range(log.partitions(Topic.REACTIONS)):
            end = (await log.bounds(Topic.REACTIONS, partition)).end
            while await store.applied_offset(Projection.TALLY, partition) < end:  # noqa: ASYNC110  no event
                await asyncio.sleep(0)


def published(log: TestLog) -> dict[bytes, TotalsRecord]:
    """Return what a reader of `totals` knows: of each key the greatest offset."""
    newest: dict[bytes, TotalsRecord] = {}
    for partition in range(log.partitions(Topic.TOTALS)):
        for record in log.records.get((Topic.TOTALS, partition), []):
            assert record.key is not None
            assert record.value is not None
            totals = decode_totals(record.value)
            assert record.key == totals.key()
            assert partition == partition_of(totals.video_id, log.partitions(Topic.TOTALS))
            known = newest.get(record.key)
            if known is not None and known.offset == totals.offset:
                assert known == totals, "one offset, two truths"
            if known is None or totals.offset > known.offset:
                newest[record.key] = totals
    return newest


async def counts_of(store: SqliteStore, comment: str, *, video: str = "launch") -> tuple[int, ...]:
    """Return a comment's totals."""
    totals = (await store.totals(video, [comment])).get(comment)
    return tuple(NO_COUNTS) if totals is None else totals.counts


async def test_the_totals_are_the_count_of_the_rows(log: TestLog, store: SqliteStore) -> None:
    """One reaction a user; the last one counts; hearts add up."""
    await append(log, packed([react("ada", 1), react("bob", 1), react("ada", 2, comment="c1")]))
    await append(log, packed([react("ada", 3)], [Hearts("launch", (2, 1)), Hearts("launch", (1,))]))
    await append(log, packed([react("bob", 0)], [Hearts("launch", (0, 5))]))
    worker = tally(log, store)
    await worker.start()
    await catch_up(log, store)
    await worker.close()
    assert await counts_of(store, "c0") == (0, 0, 1, 0, 0, 0)
    assert await counts_of(store, "c1") == (0, 1, 0, 0, 0, 0)
    (hearts,) = await store.hearts("launch")
    assert hearts.counts == (3, 6, 0, 0, 0, 0)
    newest = published(log)
    assert newest[b"c0"].counts == (0, 0, 1, 0, 0, 0)
    assert newest[b"launch/0"].counts == (3, 6, 0, 0, 0, 0)
    assert (newest[b"c0"].source, newest[b"c0"].generation, newest[b"c0"].offset) == (0, 1, 2)


async def test_a_comment_is_published_once_a_batch(log: TestLog, store: SqliteStore) -> None:
    """However many reactions a batch has for it."""
    await append(log, packed([react(f"u{n}", 1) for n in range(200)]))
    await append(log, packed([react(f"u{n}", 2) for n in range(200)]))
    worker = tally(log, store)
    await worker.start()
    await catch_up(log, store)
    await worker.close()
    assert sum(len(log.records[Topic.TOTALS, partition]) for partition in range(2)) == 1
    assert await counts_of(store, "c0") == (0, 200, 0, 0, 0, 0)


@pytest.mark.parametrize("rows_max", [1, 1000])
async def test_a_comment_is_loaded_once_while_it_is_kept(
    log: TestLog, path: Path, rows_max: int
) -> None:
    """And again after it was forgotten, with the same result."""
    store = FlakyStore(path)
    await store.start()
    worker = tally(log, store, rows_max=rows_max)
    await worker.start()
    for n in range(4):
        for comment in COMMENTS:
            await append(log, packed([react(f"u{n}", 1, comment=comment)]))
            await catch_up(log, store)
    await worker.close()
    assert (store.loads == len(COMMENTS)) == (rows_max == 1000)
    for comment in COMMENTS:
        assert (await counts_of(store, comment))[0] == 4
    await store.close()


async def test_totals_of_known_comments_go_out_while_the_store_is_down(
    log: TestLog, path: Path, wait_until: WaitUntil
) -> None:
    """The rows follow when the store is back."""
    store = FlakyStore(path)
    await store.start()
    worker = tally(log, store)
    await worker.start()
    await append(log, packed([react("ada", 1)]))
    await catch_up(log, store)
    store.refuse_before = 1 << 30
    await append(log, packed([react("bob", 1)]))
    await wait_until(lambda: published(log)[b"c0"].counts[0] == 2)
    await append(log, packed([react("eve", 1)]))
    await wait_until(lambda: published(log)[b"c0"].counts[0] == 3)
    assert await counts_of(store, "c0") == (1, 0, 0, 0, 0, 0)
    store.refuse_before = 0
    await catch_up(log, store)
    assert await counts_of(store, "c0") == (3, 0, 0, 0, 0, 0)
    await worker.close()
    await store.close()


async def test_an_unknown_reaction_is_put_aside(log: TestLog, store: SqliteStore) -> None:
    """With the whole record; the next one counts."""
    await append(log, packed([react("ada", 7)]))
    await append(log, packed([], [Hearts("launch", (1,) * 7)]))
    await append(log, packed([], [Hearts("launch", (-1,))]))
    await append(log, packed([react("ada", 6)]))
    worker = tally(log, store)
    await worker.start()
    await catch_up(log, store)
    await worker.close()
    assert worker.statistics().dead_letters == 3
    assert await counts_of(store, "c0") == (0, 0, 0, 0, 0, 1)


@dataclass
class Model:
    """What the numbers must be: records in log order, nothing else."""

    rows: dict[tuple[str, str, str], int] = field(default_factory=dict)
    hearts: dict[tuple[str, int], list[int]] = field(default_factory=dict)

    def take(self, partition: int, record: ReactionRecord) -> None:
        for r in record.reactions:
            self.rows[r.video_id, r.comment_id, r.user_id] = r.code
        for more in record.hearts:
            counts = self.hearts.setdefault((more.video_id, partition), [0] * 6)
            for index, n in enumerate(more.counts):
                counts[index] += n

    def counts(self, video: str, comment: str) -> tuple[int, ...]:
        codes = [code for key, code in self.rows.items() if key[:2] == (video, comment)]
        return tuple(codes.count(code) for code in range(1, 7))


reactions = st.builds(
    Reaction,
    st.sampled_from(VIDEOS),
    st.sampled_from(COMMENTS),
    st.sampled_from(USERS),
    st.integers(0, 3),
).map(lambda r: msgspec.structs.replace(r, comment_id=f"{r.video_id}-{r.comment_id}"))
records = st.builds(
    lambda rs, hs: ReactionRecord(
        VERSION, 1, list({(r.video_id, r.comment_id, r.user_id): r for r in rs}.values()), hs
    ),
    st.lists(reactions, max_size=5),
    st.lists(
        st.builds(Hearts, st.sampled_from(VIDEOS), st.tuples(st.integers(0, 3), st.integers(0, 3))),
        max_size=2,
    ),
)
POINTS = (
    "persist.tally.before_publish",
    "persist.tally.after_publish",
    "persist.tally.after_apply",
    "store.before_commit",
)
steps = st.lists(
    st.one_of(
        records,
        st.sampled_from(POINTS),
        st.sampled_from(
            ("refuse before", "refuse after", "refuse reads", "refuse appends", "wait", "restart")
        ),
    ),
    max_size=30,
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps, records_a_batch=st.integers(1, 5), rows_max=st.sampled_from((1, 8, 1000)))
def test_the_numbers_are_the_models_whatever_fails(
    new_log: Callable[..., TestLog],
    steps: list[ReactionRecord | str],
    records_a_batch: int,
    rows_max: int,
) -> None:
    """Rows, totals, hearts and what `totals` readers know, over any batch split and crashes."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_check(new_log(records_a_batch=records_a_batch), Path(folder), steps, rows_max))


async def _check(
    log: TestLog, folder: Path, steps: list[ReactionRecord | str], rows_max: int
) -> None:
    model = Model()
    store = FlakyStore(folder / "store.db")
    await store.start()
    worker = tally(log, store, rows_max=rows_max)
    await worker.start()
    for step in steps:
        if isinstance(step, ReactionRecord):
            for partition in range(2):  # as the gate does: a comment has one partition
                part = _part(step, partition)
                model.take(partition, part)
                refused, log.refused_appends = log.refused_appends, 0
                await append(log, encode(part), partition=partition)
                log.refused_appends = refused
        elif step == "restart":
            await worker.close()
            worker = tally(log, store, rows_max=rows_max)
            await worker.start()
        elif step == "wait":
            await catch_up(log, store)
        else:
            _break(step, log, store)
    await catch_up(log, store)
    await worker.close()
    faultpoints.disarm()
    store.refused_reads = 0  # what the worker had no need to read is not the comparison's trouble
    await _compare(log, store, model)
    await store.close()


def _part(record: ReactionRecord, partition: int) -> ReactionRecord:
    mine = [r for r in record.reactions if partition_of(r.comment_id, 2) == partition]
    return ReactionRecord(VERSION, 1, mine, record.hearts)


def _break(step: str, log: TestLog, store: FlakyStore) -> None:
    if step in POINTS:
        _crash_once(step)
    elif step == "refuse before":
        store.refuse_before += 2
    elif step == "refuse after":
        store.refuse_after += 2
    elif step == "refuse reads":
        store.refused_reads += 2
    else:
        log.refused_appends += 2


def _crash_once(point: str) -> None:
    def crash() -> None:
        faultpoints.disarm()
        raise RuntimeError(f"crash at {point}")

    faultpoints.arm(point, crash)


async def _compare(log: TestLog, store: SqliteStore, model: Model) -> None:
    newest = published(log)
    for video in VIDEOS:
        names = [f"{video}-{comment}" for comment in COMMENTS]
        rows = await store.reactions(video, names)
        for comment in names:
            expected = model.counts(video, comment)
            assert await counts_of(store, comment, video=video) == expected
            if any(key[1] == comment and code for key, code in model.rows.items()):
                assert newest[comment.encode()].counts == expected
            codes = {row.user_id: row.code for row in rows.get(comment, []) if row.code}
            assert codes == {
                user: code
                for (v, c, user), code in model.rows.items()
                if (v, c) == (video, comment) and code
            }
        for hearts in await store.hearts(video):
            expected = tuple(model.hearts.pop((video, hearts.source)))
            assert hearts.counts == expected
            assert newest[f"{video}/{hearts.source}".encode()].counts == expected
    assert not model.hearts
