"""The reader: partitions on demand, their ends, and what happens when one is lost."""

import asyncio

import pytest

from groundswell.broker.reader import LINGER_SECONDS
from groundswell.contract.ports.log import Bounds, LogUnavailable, OffsetOutOfRange, Topic
from groundswell.contract.problems import Refused


class Wrapped:
    """An engine, with some of its methods replaced."""

    def __init__(self, engine, **replaced):
        self._engine = engine
        self.__dict__.update(replaced)

    def __getattr__(self, name):
        return getattr(self._engine, name)


class BrokenTail:
    """A tail that raises what it is given before it goes on."""

    def __init__(self, tail, errors):
        self._tail = tail
        self.errors = errors

    def __getattr__(self, name):
        return getattr(self._tail, name)

    async def next_batches(self):
        if self.errors:
            raise self.errors.pop(0)
        return await self._tail.next_batches()


@pytest.fixture(name="short_retry", autouse=True)
def fixture_short_retry(monkeypatch):
    """No test waits for the time between two attempts."""
    monkeypatch.setattr("groundswell.broker.reader.RETRY_SECONDS", 0.0)


async def test_a_partition_is_opened_warm(world):
    """Everything that the window needs is there before the first viewer joins."""
    ids = await world.write("a", "b")
    world.reader.start()
    number = world.partition()
    assert world.reader.opened(number) is None
    partition = await world.reader.open(number)
    assert partition is world.reader.opened(number)
    assert [entry.comment_id for entry in partition.backlog.since("v", 0)] == ids


async def test_all_who_wait_share_one_opening(world):
    """A crowd that comes at once reads the partition once."""
    world.reader.start()
    opened = await asyncio.gather(*(world.reader.open(world.partition()) for _ in range(20)))
    assert len({id(partition) for partition in opened}) == 1


async def test_only_the_window_is_remembered(world, clock):
    """What is older is read for duplicates alone."""
    world.make(resume_window=10.0)
    await world.write("old", ref="r")
    clock.advance(10.001)
    await world.write("again", ref="r")
    (new,) = await world.write("new")
    world.reader.start()
    partition = await world.reader.open(world.partition())
    assert [entry.comment_id for entry in partition.backlog.since("v", 0)] == [new]
    assert partition.backlog.first == 1
    assert world.reader.statistics().duplicates == 1


async def test_waiting_for_an_offset_ends_when_it_is_read(world):
    """That is how a GET sees what was answered 201."""
    world.reader.start()
    partition = await world.reader.open(world.partition())
    waiting = asyncio.create_task(world.reader.wait_reached(partition, 1))
    await world.write("a")
    await waiting
    assert partition.next_offset == 1


async def test_waiting_in_vain_is_refused_and_leaves_nothing_behind(world, monkeypatch):
    """A log that stands still must not collect those who gave up."""
    monkeypatch.setattr("groundswell.broker.reader.BEHIND_SECONDS", 0.01)
    world.reader.start()
    partition = await world.reader.open(world.partition())
    with pytest.raises(Refused, match="reads_behind"):
        await world.reader.wait_reached(partition, 99)
    assert not any(world.reader._waiting.values())


async def test_an_unused_partition_is_closed_after_a_while(world, clock):
    """And opened again when somebody comes."""
    world.reader.start()
    first = await world.reader.open(world.partition())
    clock.advance(LINGER_SECONDS)
    world.reader.housekeep()
    assert world.reader.opened(world.partition()) is first
    clock.advance(LINGER_SECONDS + 1)
    world.reader.housekeep()
    assert world.reader.opened(world.partition()) is None
    assert await world.reader.open(world.partition()) is not first


async def test_the_memory_cap_holds_over_all_partitions(world):
    """The largest backlog gives way first."""
    world.make(resume_bytes=1 << 20)
    big, small = (
        "v",
        next(f"v{n}" for n in range(99) if world.partition(f"v{n}") != world.partition()),
    )
    await world.write(*("x" * 2000 for _ in range(600)), video=big)
    await world.write("y", video=small)
    world.reader.start()
    large = await world.reader.open(world.partition(big))
    little = await world.reader.open(world.partition(small))
    world.reader.housekeep()
    assert world.reader.statistics().backlog_bytes <= 1 << 20
    assert large.backlog.first > 0
    assert little.backlog.first == 0


async def test_reading_goes_on_after_any_failure(world):
    """Also one that nobody foresaw: the reader's task must not end in silence."""
    broken = BrokenTail(world.log.tail(), [LogUnavailable("disk"), RuntimeError("surprise")])
    world.make(log=Wrapped(world.log, tail=lambda: broken))
    world.reader.start()
    partition = await world.reader.open(world.partition())
    await world.write("a")
    await world.reader.wait_reached(partition, 1)
    assert broken.errors == []


async def test_an_opening_that_fails_is_refused_and_can_be_tried_again(world):
    """Whatever the log says, not only that it is unavailable."""
    errors = [
        OffsetOutOfRange(Topic.EVENTS, 0, 5, Bounds(9, 10)),
        LogUnavailable("disk"),
    ]

    async def offset_at(*args):
        if errors:
            raise errors.pop(0)
        return await world.log.offset_at(*args)

    world.make(log=Wrapped(world.log, offset_at=offset_at))
    world.reader.start()
    for _ in range(2):
        with pytest.raises(Refused, match="log_unavailable"):
            await world.reader.open(world.partition())
    assert (await world.reader.open(world.partition())).warm


async def test_those_who_wait_for_a_lost_partition_are_refused(world):
    """Not cancelled: a request would end without an answer."""
    world.reader.start()
    partition = await world.reader.open(world.partition())
    waiting = asyncio.create_task(world.reader.wait_reached(partition, 1))
    await asyncio.sleep(0)
    world.reader._close_one(world.partition())
    with pytest.raises(Refused, match="reads_behind"):
        await waiting


async def test_a_partition_that_fails_is_closed_and_opened_anew(world, monkeypatch, wait_until):
    """It may have missed records; the others are read on."""
    world.reader.start()
    number = world.partition()
    partition = await world.reader.open(number)
    monkeypatch.setattr(partition, "accept_events", lambda batch: 1 / 0)
    (comment_id,) = await world.write("a")
    await wait_until(lambda: world.reader.opened(number) is None)
    again = await world.reader.open(number)
    assert [entry.comment_id for entry in again.backlog.since("v", 0)] == [comment_id]


async def test_totals_published_just_before_are_known(world, author, wait_until):
    """The store may not have them yet, and nobody will publish them again."""
    (comment_id,) = await world.write("a")
    await world.publish(author.totals(comment_id, 3, offset=1))
    world.reader.start()
    partition = await world.reader.open(world.partition())
    await wait_until(lambda: partition.totals_of("v", [comment_id]))


async def test_a_long_backlog_leaves_others_their_turn(world):
    """A tail that has everything in memory never waits by itself."""
    await world.write(*("x" for _ in range(3500)))
    world.reader.start()
    opening = asyncio.create_task(world.reader.open(world.partition()))
    steps = set()
    while not opening.done():
        await asyncio.sleep(0)
        for partition in world.reader._partitions.values():
            steps.add(partition.next_offset)
    assert len(steps & {1000, 2000, 3000}) >= 2
