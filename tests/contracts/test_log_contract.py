"""What every engine of the log must do (`contract/ports/log.py`)."""

import asyncio
import re
from bisect import bisect_left

import pytest

from groundswell.contract.ports.log import (
    RECORD_BYTES_MAX,
    Batch,
    OffsetOutOfRange,
    RecordTooLarge,
    Topic,
)

BINDING = b"binding"  # the one record that an engine may have put into `control` itself
EVENTS, REACTIONS, TOTALS, CONTROL = Topic.EVENTS, Topic.REACTIONS, Topic.TOTALS, Topic.CONTROL


async def fill(log, count, *, topic=EVENTS, partition=0, start=0):
    """Append so many records one after the other."""
    return [
        await log.append(topic, partition, b"%d" % n, key=b"k%d" % n)
        for n in range(start, start + count)
    ]


async def everything(log, topic=EVENTS, partition=0):
    """Read a partition from its first record to its end."""
    offset, end = await log.bounds(topic, partition)
    found = []
    while offset < end:
        batch = await log.read(topic, partition, offset)
        found += batch.records
        offset = batch.end
    return found


async def gather_batches(reader, count):
    """Call `next_batches` until so many records came; return them by (partition, offset)."""
    found = []
    async with asyncio.timeout(10):
        while len(found) < count:
            for batch in await reader.next_batches():
                found += [(batch.partition, record.offset) for record in batch.records]
    return found


async def until(condition):
    """Let other tasks run until a condition holds; the caller sets the deadline."""
    while not condition():  # noqa: ASYNC110  # engines have no event for it
        await asyncio.sleep(0.001)


async def nothing_more(reader):
    """Assert that a reader has nothing to give: its call waits until it is cancelled."""
    waiting = asyncio.ensure_future(reader.next_batches())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


# Topics


async def test_control_has_one_partition_and_the_others_the_same_number(log):
    """The number is fixed for the log's life."""
    assert log.partitions(CONTROL) == 1
    assert log.partitions(EVENTS) == log.partitions(REACTIONS) == log.partitions(TOTALS) > 1


async def test_an_epoch_names_a_log_for_good(engine):
    """It is the same after a restart, and another one in a new log."""
    log = await engine.make()
    epochs = [log.epoch(topic) for topic in Topic]
    assert all(re.fullmatch("[0-9a-f]{16}", epoch) for epoch in epochs)
    assert len(set(epochs)) == len(epochs)
    log = await engine.restart(log)
    assert [log.epoch(topic) for topic in Topic] == epochs
    assert (await engine.make()).epoch(EVENTS) != epochs[0]


# Appending


async def test_what_was_appended_is_read_back_with_key_and_value(log):
    """Bytes come back as they were, zero bytes and empty values included."""
    values = [b"plain", b"", b"\0\xff\0", b"x" * 100_000]
    for value in values:
        await log.append(EVENTS, 1, value, key=b"\0k")
    await log.append(EVENTS, 1, b"no key")
    records = await everything(log, EVENTS, 1)
    assert [record.value for record in records] == [*values, b"no key"]
    assert [record.key for record in records] == [b"\0k"] * 4 + [None]


async def test_append_says_where_the_record_stands(log):
    """The answer is the offset and append time that readers see."""
    answers = await fill(log, 5)
    records = await everything(log)
    assert [tuple(answer) for answer in answers] == [(r.offset, r.append_ms) for r in records]
    assert [answer.offset for answer in answers] == sorted({answer.offset for answer in answers})


async def test_partitions_and_topics_are_apart(log):
    """A record is in its own partition of its own topic only."""
    await log.append(EVENTS, 0, b"e0")
    await log.append(EVENTS, 1, b"e1")
    await log.append(REACTIONS, 0, b"r0")
    assert [record.value for record in await everything(log, EVENTS, 0)] == [b"e0"]
    assert [record.value for record in await everything(log, EVENTS, 1)] == [b"e1"]
    assert [record.value for record in await everything(log, REACTIONS, 0)] == [b"r0"]
    assert await everything(log, EVENTS, 2) == []


async def test_concurrent_appends_keep_each_callers_order(log):
    """Every caller's records stand in the order in which it appended them."""

    async def append_all(caller):
        return [(await log.append(EVENTS, 0, b"%d %d" % (caller, n))).offset for n in range(25)]

    offsets = await asyncio.gather(*[append_all(caller) for caller in range(8)])
    assert all(mine == sorted(mine) for mine in offsets)
    assert len({offset for mine in offsets for offset in mine}) == 200
    by_offset = {record.offset: record.value for record in await everything(log)}
    for caller, mine in enumerate(offsets):
        assert [by_offset[offset] for offset in mine] == [b"%d %d" % (caller, n) for n in range(25)]


async def test_appends_started_in_order_stand_in_order(log):
    """Calls of one loop turn keep their order without waiting for each other."""
    answers = await asyncio.gather(*[log.append(EVENTS, 0, b"%d" % n) for n in range(100)])
    assert [answer.offset for answer in answers] == sorted(answer.offset for answer in answers)


async def test_append_times_never_decrease(log, engine):
    """Within a partition, whatever the clock does."""
    await fill(log, 3)
    await engine.pass_time(0.01)
    await fill(log, 3)
    times = [record.append_ms for record in await everything(log)]
    assert times == sorted(times)


async def test_a_record_that_is_too_large_is_refused(log):
    """Over `RECORD_BYTES_MAX` nothing is appended; exactly that much is fine."""
    with pytest.raises(RecordTooLarge):
        await log.append(EVENTS, 0, b"x" * (RECORD_BYTES_MAX + 1))
    assert await everything(log) == []
    await log.append(EVENTS, 0, b"x" * RECORD_BYTES_MAX)
    assert len(await everything(log)) == 1


async def test_acknowledged_records_are_there_after_a_restart(log, engine):
    """Durable means durable, and offsets go on where they were."""
    before = await fill(log, 20)
    log = await engine.restart(log)
    after = await fill(log, 5, start=20)
    records = await everything(log)
    assert [record.offset for record in records] == [a.offset for a in [*before, *after]]
    assert [record.value for record in records] == [b"%d" % n for n in range(25)]


async def test_a_cancelled_append_disturbs_nobody(log):
    """It may be in the log or not; the others get their answers."""
    cancelled = asyncio.ensure_future(log.append(EVENTS, 0, b"cancelled"))
    other = asyncio.ensure_future(log.append(EVENTS, 0, b"other"))
    await asyncio.sleep(0)
    cancelled.cancel()
    answer = await other
    assert [r.value for r in await everything(log) if r.offset == answer.offset] == [b"other"]


async def test_a_log_that_is_open_is_writable(log):
    """`writable` is about the last attempt; at first there is no reason to doubt."""
    assert log.writable()
    await fill(log, 1)
    assert log.writable()


async def test_closing_finishes_what_was_accepted(engine):
    """Appends that were under way when `close` was called are answered and durable."""
    log = await engine.make()
    appends = [asyncio.ensure_future(log.append(EVENTS, 0, b"%d" % n)) for n in range(50)]
    await asyncio.sleep(0)
    await log.close()
    offsets = [(await append).offset for append in appends]
    await log.close()
    log = await engine.restart(log)
    assert [record.offset for record in await everything(log)] == offsets


# Reading


async def test_read_starts_at_the_offset_and_stops_at_the_limit(log):
    """`end` is where to go on."""
    answers = await fill(log, 10)
    batch = await log.read(EVENTS, 0, answers[3].offset, max_records=4)
    assert [record.offset for record in batch.records] == [a.offset for a in answers[3:7]]
    assert batch.end == answers[6].offset + 1
    assert (batch.topic, batch.partition) == (EVENTS, 0)


async def test_read_at_the_end_is_empty_and_does_not_wait(log):
    """The end is within the range that can be asked for."""
    await fill(log, 2)
    _, end = await log.bounds(EVENTS, 0)
    assert await log.read(EVENTS, 0, end) == Batch(EVENTS, 0, (), end)


async def test_read_after_a_restart_is_the_same(log, engine):
    """From the file as from memory."""
    await fill(log, 30)
    before = await everything(log)
    log = await engine.restart(log)
    assert await everything(log) == before
    batch = await log.read(EVENTS, 0, before[7].offset, max_records=5)
    assert list(batch.records) == before[7:12]
    assert batch.end == before[11].offset + 1


async def test_an_offset_out_of_range_is_an_error_and_names_the_bounds(log):
    """Never silently reset."""
    await fill(log, 3)
    bounds = await log.bounds(EVENTS, 0)
    for offset in (-1, bounds.end + 1):
        with pytest.raises(OffsetOutOfRange) as caught:
            await log.read(EVENTS, 0, offset)
        assert (caught.value.partition, caught.value.offset) == (0, offset)
        assert caught.value.bounds == bounds


async def test_bounds_include_what_append_returned(log):
    """Read your own writes."""
    for n in range(20):
        answer = await log.append(EVENTS, 0, b"%d" % n)
        bounds = await log.bounds(EVENTS, 0)
        assert bounds.first <= answer.offset < bounds.end
        assert (await log.read(EVENTS, 0, answer.offset)).records[0].value == b"%d" % n


@pytest.mark.parametrize("restarted", [False, True])
async def test_offset_at_finds_the_first_record_of_a_time(log, engine, restarted):
    """At or after it; the end where there is none."""
    answers = []
    for start in range(0, 12, 3):
        answers += await fill(log, 3, start=start)
        await engine.pass_time(0.05)
    if restarted:
        log = await engine.restart(log)
    times = [answer.append_ms for answer in answers]
    _, end = await log.bounds(EVENTS, 0)
    offsets = [answer.offset for answer in answers] + [end]
    for time_ms in {0, *times, *[t + 1 for t in times], *[t - 1 for t in times]}:
        expected = offsets[bisect_left(times, time_ms)]
        assert await log.offset_at(EVENTS, 0, time_ms) == expected


async def test_offset_at_of_an_empty_partition_is_its_end(log):
    """There is none, so the end."""
    _, end = await log.bounds(EVENTS, 3)
    assert await log.offset_at(EVENTS, 3, 0) == end


# Compaction


async def test_compaction_keeps_the_latest_record_of_every_key(log, engine):
    """Superseded records go; offsets and order of the others stay."""
    for n in range(30):
        await log.append(TOTALS, 0, b"%d" % n, key=b"k%d" % (n % 3))
    await log.append(TOTALS, 0, b"last", key=b"other")  # engines may leave the very last alone
    before = await everything(log, TOTALS, 0)  # some engines may be compacting already
    await engine.wait_compacted(log)
    log = await engine.restart(log)
    assert await everything(log, TOTALS, 0) == before[-4:]


async def test_a_tombstone_removes_its_key_and_then_itself(log, engine):
    """`value` None: the key is gone for good, other keys stay."""
    await log.append(CONTROL, 0, b"ban", key=b"ada")
    await log.append(CONTROL, 0, b"ban", key=b"bob")
    await log.append(CONTROL, 0, None, key=b"ada")
    await log.append(CONTROL, 0, b"last", key=b"other")
    tombstone = (await everything(log, CONTROL))[-2]
    assert (tombstone.key, tombstone.value) == (b"ada", None)
    await engine.wait_compacted(log)
    log = await engine.restart(log)
    keys = [record.key for record in await everything(log, CONTROL)]
    assert [key for key in keys if key != BINDING] == [b"bob", b"other"]


async def test_gaps_are_read_over_and_the_batch_says_so(log, engine):
    """`end` moves over what compaction removed; the first offset can still be asked for."""
    for n in range(10):
        await log.append(TOTALS, 0, b"%d" % n, key=b"same")
    await log.append(TOTALS, 0, b"last", key=b"other")
    await engine.wait_compacted(log)
    log = await engine.restart(log)
    bounds = await log.bounds(TOTALS, 0)
    batch = await log.read(TOTALS, 0, bounds.first)
    assert [record.value for record in batch.records] == [b"9", b"last"]
    assert batch.end == bounds.end
    assert await log.offset_at(TOTALS, 0, 0) == batch.records[0].offset


async def test_offsets_never_start_again_after_compaction(log, engine):
    """Even if nothing is left."""
    await log.append(CONTROL, 0, b"x", key=b"k")
    last = await log.append(CONTROL, 0, None, key=b"k")
    await engine.wait_compacted(log)
    log = await engine.restart(log)
    assert (await log.append(CONTROL, 0, b"y", key=b"k")).offset > last.offset


async def test_events_are_not_compacted(log, engine):
    """Comments of one video have one key and all stay."""
    for n in range(5):
        await log.append(EVENTS, 0, b"%d" % n, key=b"video")
    await engine.wait_compacted(log)
    log = await engine.restart(log)
    assert len(await everything(log)) == 5


# Tails


async def test_a_tail_gives_what_is_there_and_then_what_comes(log):
    """From the offset on, without gap or repetition."""
    await fill(log, 5)
    tail = log.tail()
    tail.follow(EVENTS, 0, 2)
    assert await gather_batches(tail, 3) == [(0, 2), (0, 3), (0, 4)]
    await nothing_more(tail)
    await fill(log, 2, start=5)
    assert await gather_batches(tail, 2) == [(0, 5), (0, 6)]
    await tail.close()


async def test_a_waiting_tail_is_woken_by_an_append(log):
    """`next_batches` waits for records, not for a poll."""
    tail = log.tail()
    tail.follow(EVENTS, 0, 0)
    waiting = asyncio.ensure_future(tail.next_batches())
    await asyncio.sleep(0)
    await log.append(EVENTS, 0, b"hello", key=b"k")
    async with asyncio.timeout(10):
        (batch,) = await waiting
    assert (batch.topic, batch.partition, batch.end) == (EVENTS, 0, 1)
    assert [(r.key, r.value) for r in batch.records] == [(b"k", b"hello")]
    await tail.close()


async def test_a_tail_that_is_behind_reads_a_restarted_log(log, engine):
    """What is not in memory any more comes from the file, and then memory goes on."""
    await fill(log, 2500)
    log = await engine.restart(log)
    tail = log.tail()
    tail.follow(EVENTS, 0, 0)
    first = await gather_batches(tail, 1)
    await fill(log, 5, start=2500)
    rest = await gather_batches(tail, 2505 - len(first))
    assert first + rest == [(0, offset) for offset in range(2505)]
    await tail.close()


async def test_a_tail_reads_only_what_it_follows(log):
    """Several partitions, at most one batch each."""
    tail = log.tail()
    for partition in (0, 2):
        tail.follow(EVENTS, partition, 0)
    for partition in (0, 1, 2):
        await fill(log, 3, partition=partition)
    async with asyncio.timeout(10):
        batches = await tail.next_batches()
    assert len({batch.partition for batch in batches}) == len(batches)
    found = [(b.partition, r.offset) for b in batches for r in b.records]
    found += await gather_batches(tail, 6 - len(found))
    assert sorted(found) == [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2)]
    await tail.close()


async def test_unfollowed_partitions_are_silent(log):
    """No batch of them is returned any more, not even of what is there already."""
    tail = log.tail()
    tail.follow(EVENTS, 0, 0)
    tail.follow(EVENTS, 1, 0)
    await fill(log, 3)
    tail.unfollow(EVENTS, 0)
    tail.unfollow(EVENTS, 3)  # never followed: harmless
    await fill(log, 1, partition=1)
    assert await gather_batches(tail, 1) == [(1, 0)]
    await nothing_more(tail)
    await tail.close()


async def test_following_again_moves_the_tail(log):
    """Backwards and forwards."""
    await fill(log, 5)
    tail = log.tail()
    tail.follow(EVENTS, 0, 0)
    assert len(await gather_batches(tail, 5)) == 5
    tail.follow(EVENTS, 0, 3)
    assert await gather_batches(tail, 2) == [(0, 3), (0, 4)]
    await tail.close()


async def test_following_and_unfollowing_while_others_write(log):
    """Every time it is followed, a partition continues exactly where it was told to."""
    tail = log.tail()
    tail.follow(EVENTS, 1, 0)
    writing = asyncio.ensure_future(
        asyncio.gather(*[fill(log, 150, partition=partition) for partition in (0, 1)])
    )
    other, at = [], 0
    while at < 150:
        tail.follow(EVENTS, 0, at)
        mine = []
        while not mine:
            for batch in await tail.next_batches():
                offsets = [record.offset for record in batch.records]
                (mine if batch.partition == 0 else other).extend(offsets)
        assert mine == list(range(at, at + len(mine)))
        at += len(mine)
        tail.unfollow(EVENTS, 0)
    await writing
    other += [offset for _, offset in await gather_batches(tail, 150 - len(other))]
    assert other == list(range(150))
    await tail.close()


async def test_a_tail_out_of_range_says_so_and_lets_that_partition_go(log):
    """The other partitions go on."""
    await fill(log, 2)
    tail = log.tail()
    tail.follow(EVENTS, 0, 0)
    tail.follow(EVENTS, 1, 5)
    found = []
    with pytest.raises(OffsetOutOfRange) as caught:
        await collect(tail, found)
    found = [offset for _, _, offset in found]
    assert (caught.value.topic, caught.value.partition, caught.value.offset) == (EVENTS, 1, 5)
    if len(found) < 2:
        found += [offset for _, offset in await gather_batches(tail, 2 - len(found))]
    assert found == [0, 1]
    await nothing_more(tail)
    await tail.close()


async def test_closing_a_tail_cancels_who_waits(log):
    """A waiting `next_batches` raises `CancelledError`."""
    tail = log.tail()
    tail.follow(EVENTS, 0, 0)
    waiting = asyncio.ensure_future(tail.next_batches())
    await asyncio.sleep(0)
    await tail.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await tail.close()


# Groups


async def test_a_group_starts_at_the_first_record_and_goes_on_at_its_commit(log, engine):
    """Without `start_at`: at the committed offset, else the first."""
    await fill(log, 6)
    group = log.group("g", EVENTS)
    assert await group.committed(0) is None
    assert await gather_batches(group, 6) == [(0, offset) for offset in range(6)]
    await group.commit(0, 4)
    assert await group.committed(0) == 4
    await group.close()
    log = await engine.restart(log)
    group = log.group("g", EVENTS)
    assert await group.committed(0) == 4
    assert await gather_batches(group, 2) == [(0, 4), (0, 5)]
    await group.close()


async def test_a_commit_never_goes_back(log):
    """A late, lower commit changes nothing."""
    await fill(log, 6)
    group = log.group("g", EVENTS)
    await gather_batches(group, 6)
    await group.commit(0, 5)
    await group.commit(0, 2)
    assert await group.committed(0) == 5
    await group.close()


async def test_groups_are_apart(log):
    """Each has commits of its own and reads everything."""
    await fill(log, 3)
    one, two = log.group("one", EVENTS), log.group("two", EVENTS)
    assert await gather_batches(one, 3) == await gather_batches(two, 3)
    await one.commit(0, 3)
    assert await two.committed(0) is None
    await one.close()
    await two.close()


async def test_start_at_decides_where_a_partition_begins(log):
    """It is asked with the partition and what was committed."""
    await fill(log, 5)
    asked = {}

    async def start_at(partition, committed):
        asked[partition] = committed
        return 3 if partition == 0 else 0

    group = log.group("g", EVENTS, start_at=start_at)
    assert await gather_batches(group, 2) == [(0, 3), (0, 4)]
    async with asyncio.timeout(10):  # a partition is read while the others are still asked for
        await until(lambda: len(asked) == log.partitions(EVENTS))
    assert asked == dict.fromkeys(range(log.partitions(EVENTS)))
    await group.commit(0, 4)
    await group.close()
    asked.clear()
    group = log.group("g", EVENTS, start_at=start_at)
    await gather_batches(group, 2)
    assert asked[0] == 4
    await group.close()


async def test_a_group_waits_for_what_comes(log):
    """As a tail does."""
    group = log.group("g", EVENTS)
    waiting = asyncio.ensure_future(gather_batches(group, 1))
    await asyncio.sleep(0)
    await fill(log, 1, partition=2)
    assert await waiting == [(2, 0)]
    await group.close()


async def test_two_members_split_the_partitions_and_one_takes_over(log):
    """Each partition has one owner; `lost` is told; the new owner starts at the commit."""
    lost = []
    one = log.group("g", EVENTS, lost=lost.append)
    for partition in range(4):
        await fill(log, 2, partition=partition)
    await gather_batches(one, 8)
    for partition in range(4):
        await one.commit(partition, 1)
    two = log.group("g", EVENTS)
    found = []
    reading = [asyncio.ensure_future(collect(member, found)) for member in (one, two)]
    async with asyncio.timeout(20):
        await until(lambda: len(found) >= 2)
        for partition in range(4):
            await fill(log, 1, partition=partition, start=2)
        await until(lambda: sum(offset == 2 for _, _, offset in found) >= 4)
        owners = {partition: owner for owner, partition, offset in found if offset == 2}
        assert set(owners.values()) == {one, two}
        assert sorted(p for p, owner in owners.items() if owner is two) == sorted(lost)
        reading[1].cancel()
        await two.close()
        for partition in range(4):
            await fill(log, 1, partition=partition, start=3)
        await until(lambda: sum(offset == 3 and owner is one for owner, _, offset in found) >= 4)
    reading[0].cancel()
    await one.close()


async def collect(reader, found):
    """Enter (reader, partition, offset) of all that a tail or a member reads."""
    while True:
        for batch in await reader.next_batches():
            found += [(reader, batch.partition, record.offset) for record in batch.records]


async def test_closing_a_member_twice_is_harmless(log):
    """It has left already."""
    group = log.group("g", EVENTS)
    await group.close()
    await group.close()
