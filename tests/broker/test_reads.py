"""Complete reads: store, log and memory together, wherever the projections stand."""

import asyncio
import itertools
import json

import pytest

from groundswell.broker.reads import Wanted
from groundswell.contract.ports.log import LogUnavailable
from groundswell.contract.ports.store import (
    Projection,
    StoreUnavailable,
    TallyBatch,
    Totals,
)
from groundswell.contract.problems import Refused


class Store:
    """A store that fails where it is told to, and counts its reads."""

    def __init__(self, store):
        self._store = store
        self.fails = set()
        self.reads = []

    def __getattr__(self, name):
        method = getattr(self._store, name)

        async def call(*args, **kwargs):
            self.reads.append(name)
            if name in self.fails:
                raise StoreUnavailable("away")
            return await method(*args, **kwargs)

        return call


@pytest.fixture(name="page")
def fixture_page(world):
    """Read a page of "v"; returns its texts, and the page."""

    async def read(*, start=0, limit=50, parent=None, since_ms=0):
        async def first(number):
            return start

        wanted = Wanted("v", parent, since_ms)
        found = await world.reads.page(wanted, start=first, limit=limit)
        return [json.loads(comment)["commentText"] for comment in found.comments], found

    return read


@pytest.mark.parametrize("applied", [0, 1, 5, 10], ids="applied={}".format)
@pytest.mark.parametrize("old", [False, True], ids=["in the window", "older than the window"])
async def test_a_read_is_complete_wherever_the_store_stands(world, page, clock, applied, old):
    """At the log's begin, within it, at its end; remembered or only in the log."""
    await world.write(*(str(n) for n in range(10)))
    await world.persist(upto=applied)
    if old:
        clock.advance(world.settings.resume_window + 10)
    world.reader.start()
    texts, found = await page()
    assert texts == [str(n) for n in range(10)]
    assert (found.offset, found.more) == (10, False)


@pytest.mark.parametrize("applied", [0, 4, 8, 12])
@pytest.mark.parametrize("forget", [0.0, 0.3, 0.7, 1.0])
async def test_deleted_comments_are_in_no_page(world, page, applied, forget):
    """Whether the deletion is in the store, in the log or in memory."""
    ids = await world.write(*(str(n) for n in range(8)))
    for number in (1, 6):
        await world.delete(ids[number])
    await world.write("last")
    await world.persist(upto=min(applied, 11))
    world.reader.start()
    partition = await world.reader.open(world.partition())
    if forget:
        partition.backlog.forget_oldest(forget)
    texts, _ = await page()
    assert texts == ["0", "2", "3", "4", "5", "7", "last"]


async def test_deletions_beyond_the_applied_offset_do_not_make_pages_skip(world, page):
    """A full page of stored comments loses some: what follows in the store comes next."""
    ids = await world.write(*(str(n) for n in range(40)))
    await world.persist()
    world.clock.advance(world.settings.resume_window + 100)
    for comment_id in ids[:6]:
        await world.delete(comment_id)
    await world.write("new")
    world.reader.start()
    seen, start = [], 0
    for _ in range(20):
        texts, found = await page(start=start, limit=5)
        seen += texts
        start = found.offset
        if not found.more:
            break
    assert seen == [str(n) for n in range(6, 40)] + ["new"]
    assert not found.more


@pytest.mark.parametrize("limit", [1, 3, 10, 11])
async def test_pages_follow_each_other_without_gap_or_double(world, page, limit):
    """Each begins where the one before was complete to."""
    await world.write(*(str(n) for n in range(10)))
    await world.persist(upto=6)
    world.reader.start()
    (await world.reader.open(world.partition())).backlog.forget_oldest(0.4)
    seen, start = [], 0
    for _ in range(20):
        texts, found = await page(start=start, limit=limit)
        assert len(texts) <= limit
        seen += texts
        start = found.offset
        if not found.more:
            break
    assert seen == [str(n) for n in range(10)]
    assert start == 10


async def test_a_read_from_a_position_within_memory_asks_no_store(world, page):
    """A resuming page costs the store nothing but totals."""
    await world.write("a", "b", "c")
    store = Store(world.store)
    world.make(store=store)
    world.reader.start()
    texts, _ = await page(start=1)
    assert texts == ["b", "c"]
    assert set(store.reads) <= {"totals"}


async def test_replies_are_those_of_one_comment(world, page):
    """From the store, the log and memory alike."""
    (parent,) = await world.write("parent")
    await world.write("stored", parent=parent)
    await world.persist()
    await world.write("other")
    await world.write("live", parent=parent)
    world.reader.start()
    partition = await world.reader.open(world.partition())
    assert (await page(parent=parent))[0] == ["stored", "live"]
    partition.backlog.forget_oldest(1.0)
    assert (await page(parent=parent))[0] == ["stored", "live"]


async def test_a_time_leaves_out_what_is_older(world, page, clock):
    """By the time in the id, over as many stored pages as it takes."""
    await world.write(*(f"old {n}" for n in range(10)))
    clock.advance(10)
    since_ms = clock.wall
    await world.write("new")
    await world.persist()
    clock.advance(1000)
    world.reader.start()
    texts, found = await page(limit=2, since_ms=since_ms)
    assert texts == ["new"]
    assert not found.more


async def test_a_retried_comment_is_read_once(world, page, clock):
    """Also where the log is scanned, and the first one stands before the page."""
    await world.write("once", ref="r")
    await world.write("twice", ref="r")
    await world.write("other")
    clock.advance(world.settings.resume_window + 100)
    world.reader.start()
    assert (await page())[0] == ["once", "other"]
    assert (await page(start=1))[0] == ["other"]


async def test_other_videos_of_the_partition_are_not_on_the_page(world, page, clock):
    """They share the log and the scan."""
    other = next(f"v{n}" for n in range(99) if world.partition(f"v{n}") == world.partition())
    await world.write("mine")
    await world.write("theirs", video=other)
    world.reader.start()
    assert (await page())[0] == ["mine"]
    clock.advance(world.settings.resume_window + 100)
    world.reader.housekeep()
    assert (await page())[0] == ["mine"]


async def test_reactions_are_the_newer_of_store_and_log(world, author, page, wait_until):
    """A total that the store does not have yet is not hidden by it."""
    first, second = await world.write("a", "b")
    rows = [Totals("v", first, (1, 0), 5), Totals("v", second, (7, 0), 9)]
    await world.store.apply(0, TallyBatch([], rows, []), upto=10)
    world.reader.start()
    partition = await world.reader.open(world.partition())
    await world.publish(author.totals(first, 2, offset=6))
    await world.publish(author.totals(second, 6, offset=8))
    await wait_until(lambda: len(partition.totals_of("v", [first, second])) == 2)
    _, found = await page()
    likes = [json.loads(comment)["reactions"]["likes"] for comment in found.comments]
    assert likes == [2, 7]


async def test_what_was_acknowledged_is_in_the_next_read(world, page):
    """Fifty times, right behind the append, with the projection stopped."""
    world.reader.start()
    for n in range(50):
        await world.write(str(n))
        texts, _ = await page(start=n)
        assert texts == [str(n)]


async def test_equal_reads_at_once_are_one(world, page):
    """A crowd that opens the same page asks the store once."""
    await world.write("a")
    await world.persist()
    world.clock.advance(world.settings.resume_window + 100)
    store = Store(world.store)
    world.make(store=store)
    world.reader.start()
    pages = await asyncio.gather(*(page() for _ in range(30)))
    assert all(texts == ["a"] for texts, _ in pages)
    assert store.reads.count("comments") == 1


async def test_one_reader_who_leaves_does_not_cancel_the_others(world, page):
    """They share the read, not their fate."""
    await world.write("a")
    world.reader.start()
    tasks = [asyncio.create_task(page()) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert [(await task)[0] for task in tasks[1:]] == [["a"], ["a"]]


async def test_a_store_that_is_away_is_said(world, page):
    """503 rather than a page with holes."""
    await world.write("a")
    world.clock.advance(world.settings.resume_window + 100)
    store = Store(world.store)
    store.fails = {"applied_offset"}
    world.make(store=store)
    world.reader.start()
    with pytest.raises(Refused, match="store_unavailable"):
        await page()


async def test_a_page_is_served_without_stored_totals(world, page):
    """Comments matter more than their counts."""
    await world.write("a")
    store = Store(world.store)
    store.fails = {"totals"}
    world.make(store=store)
    world.reader.start()
    assert (await page())[0] == ["a"]


async def test_a_log_that_cannot_be_read_is_said(world, page, monkeypatch):
    """Nothing is made up from what is remembered."""
    await world.write("a")
    world.reader.start()
    await page()

    async def fail(*args, **kwargs):
        raise LogUnavailable("disk")

    monkeypatch.setattr(world.log, "bounds", fail)
    with pytest.raises(Refused, match="log_unavailable"):
        await page()


async def test_a_read_that_takes_too_long_ends(world, page, monkeypatch, wait_until):
    """Also behind the scenes: reads that nobody waits for must not pile up."""
    monkeypatch.setattr("groundswell.broker.reads.READ_SECONDS", 0.02)
    await world.write("a")
    world.clock.advance(world.settings.resume_window + 100)
    world.reader.start()
    await world.reader.open(world.partition())
    monkeypatch.setattr(world.log, "read", lambda *args, **kwargs: asyncio.Event().wait())
    with pytest.raises(Refused, match="reads_behind"):
        await page()
    await wait_until(lambda: not world.reads._running)


async def test_a_snapshot_forgets_what_was_deleted_while_it_was_made(world):
    """The deletion is in memory by then, the stored text was fetched before."""
    (gone,) = await world.write("gone")
    await world.write("kept")
    await world.persist()
    world.clock.advance(world.settings.resume_window + 100)
    world.reader.start()
    partition = await world.reader.open(world.partition())
    await world.delete(gone)
    await world.reader.wait_reached(partition, 3)
    entries, totals = await world.reads.snapshot(partition, "v", end=2, limit=50)
    assert [json.loads(entry.public_json)["commentText"] for entry in entries] == ["kept"]
    assert totals == []


@pytest.mark.parametrize(
    ("applied", "forget"), list(itertools.product([0, 30, 60], [0.0, 0.5, 1.0]))
)
async def test_a_snapshot_is_the_newest_before_its_end(world, applied, forget):
    """From store, log and memory, in whatever shares."""
    await world.write(*(str(n) for n in range(60)))
    await world.persist(upto=applied)
    world.reader.start()
    partition = await world.reader.open(world.partition())
    if forget:
        partition.backlog.forget_oldest(forget)
    entries, _ = await world.reads.snapshot(partition, "v", end=55, limit=20)
    texts = [json.loads(entry.public_json)["commentText"] for entry in entries]
    assert texts == [str(n) for n in range(35, 55)]


async def test_the_applied_offset_belongs_to_the_partition_of_the_video(world, page):
    """Another partition's progress says nothing."""
    other = next(f"v{n}" for n in range(99) if world.partition(f"v{n}") != world.partition())
    await world.write("a", "b")
    await world.write(*"xyz", video=other)
    await world.persist(video=other)
    assert await world.store.applied_offset(Projection.COMMENTS, world.partition()) == 0
    world.clock.advance(world.settings.resume_window + 100)
    world.reader.start()
    assert (await page())[0] == ["a", "b"]
