"""Retention and compaction of the SQLite log."""

import pytest

from groundswell.contract.ports.log import OffsetOutOfRange, Topic

EVENTS, REACTIONS, TOTALS = Topic.EVENTS, Topic.REACTIONS, Topic.TOTALS
HOUR_MS = 3_600_000


async def fill(log, count, topic=EVENTS):
    """Append to partition 0."""
    for n in range(count):
        await log.append(topic, 0, b"%d" % n, key=b"k%d" % (n % 7))


async def test_old_records_go_and_younger_stay(folder, clock):
    """By append time; the offsets of the others stay, over a restart too."""
    log = await folder.open(retention_ms=HOUR_MS)
    await fill(log, 5)
    clock.advance(2 * 3600)
    await fill(log, 3)
    await log.run_upkeep()
    assert tuple(await log.bounds(EVENTS, 0)) == (5, 8)
    with pytest.raises(OffsetOutOfRange):
        await log.read(EVENTS, 0, 4)
    await log.close()
    log = await folder.open(retention_ms=HOUR_MS)
    assert tuple(await log.bounds(EVENTS, 0)) == (5, 8)
    assert [record.offset for record in (await log.read(EVENTS, 0, 5)).records] == [5, 6, 7]


async def test_offsets_go_on_when_everything_was_deleted(folder, clock):
    """Also after a restart, when no record says where the end was."""
    log = await folder.open(retention_ms=HOUR_MS)
    await fill(log, 5)
    clock.advance(2 * 3600)
    await log.run_upkeep()
    await log.close()
    log = await folder.open(retention_ms=HOUR_MS)
    assert tuple(await log.bounds(EVENTS, 0)) == (5, 5)
    assert (await log.append(EVENTS, 0, b"x")).offset == 5


async def test_what_a_group_has_not_committed_stays(folder, clock):
    """However old it is; of its own topic, and without a commit everything."""
    log = await folder.open(
        retention_ms=HOUR_MS, keep_for=[("comments", EVENTS), ("tally", REACTIONS)]
    )
    await fill(log, 5)
    await fill(log, 5, REACTIONS)
    group = log.group("comments", EVENTS)
    await group.next_batches()
    await group.commit(0, 3)
    clock.advance(2 * 3600)
    await log.run_upkeep()
    # A commit rides with the next append; the next pass finds it.
    await log.append(EVENTS, 1, b"x")
    await log.run_upkeep()
    assert tuple(await log.bounds(EVENTS, 0)) == (3, 5)
    assert tuple(await log.bounds(REACTIONS, 0)) == (0, 5)
    await group.close()


async def test_a_tail_left_behind_by_retention_is_told(folder, clock):
    """Never silently moved on."""
    log = await folder.open(retention_ms=HOUR_MS)
    await fill(log, 5)
    tail = log.tail()
    tail.follow(EVENTS, 0, 2)
    clock.advance(2 * 3600)
    await fill(log, 1)
    await log.run_upkeep()
    with pytest.raises(OffsetOutOfRange) as caught:
        await tail.next_batches()
    assert caught.value.bounds == (5, 6)
    await tail.close()


async def test_long_passes_go_in_slices_between_appends(folder, monkeypatch):
    """Compaction of much takes many short transactions and ends with one record a key."""
    monkeypatch.setattr("groundswell.log.upkeep.SLICE_RECORDS", 10)
    log = await folder.open()
    await fill(log, 200, TOTALS)
    await log.run_upkeep()
    await log.close()
    log = await folder.open()
    batch = await log.read(TOTALS, 0, 0)
    assert [record.offset for record in batch.records] == list(range(193, 200))


async def test_compaction_starts_by_itself_when_it_is_worth_it(folder, monkeypatch):
    """Once about as much was added as is kept."""
    monkeypatch.setattr("groundswell.log.caretaker.COMPACT_AFTER", 50)
    log = await folder.open()
    while log.statistics().deleted < 100:
        await fill(log, 60, TOTALS)
    assert log.statistics().appended >= 100


async def test_young_tombstones_stay(folder, clock):
    """Readers that are a little behind must learn of them."""
    log = await folder.open(tombstone_ms=HOUR_MS)
    await log.append(TOTALS, 0, b"x", key=b"k")
    await log.append(TOTALS, 0, None, key=b"k")
    await log.run_upkeep()
    await log.close()
    log = await folder.open(tombstone_ms=HOUR_MS)
    assert [r.value for r in (await log.read(TOTALS, 0, 0)).records] == [None]
    clock.advance(2 * 3600)
    await log.run_upkeep()
    await log.close()
    log = await folder.open()
    assert (await log.read(TOTALS, 0, 0)).records == []
    assert tuple(await log.bounds(TOTALS, 0)) == (0, 2)
