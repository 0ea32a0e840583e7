"""How many watch, over all processes."""

import asyncio

import pytest

from groundswell.broker.viewer_counts import REPORT_SECONDS, ViewerCounts
from groundswell.cache.memory import MemoryCache
from groundswell.contract.ports.cache import CacheUnavailable


@pytest.fixture(name="cache")
def fixture_cache(clock):
    """A cache on the test's clock."""
    return MemoryCache(clock=clock)


@pytest.fixture(name="make_counts")
def fixture_make_counts(cache, clock):
    """Counts of one process for some rooms."""

    def make(*rooms, process="p1"):
        return ViewerCounts(cache=cache, clock=clock, process=process, rooms=lambda: rooms)

    return make


async def test_a_room_learns_the_sum_of_all_processes(stage, cache, make_counts):
    """Its own viewers and those elsewhere."""
    await cache.report_viewers("v", "p2", 40)
    stage.join()
    stage.join()
    await make_counts(stage.room).report()
    assert stage.room.viewers == 42


async def test_a_change_is_reported_at_once_and_the_rest_now_and_then(
    stage, cache, clock, make_counts
):
    """A quiet room asks every five seconds."""
    counts = make_counts(stage.room)
    await counts.report()
    await cache.report_viewers("v", "p2", 10)
    await counts.report()
    assert stage.room.viewers == 0
    clock.advance(REPORT_SECONDS)
    await counts.report()
    assert stage.room.viewers == 10
    stage.join()
    await counts.report()
    assert stage.room.viewers == 11


async def test_a_process_that_is_gone_is_forgotten(stage, cache, clock, make_counts):
    """15 s after its last report."""
    await cache.report_viewers("v", "p2", 10)
    counts = make_counts(stage.room)
    for _ in range(4):
        await counts.report()
        clock.advance(REPORT_SECONDS)
    await counts.report()
    assert stage.room.viewers == 0


async def test_without_the_cache_the_count_is_not_known(stage, cache, make_counts, monkeypatch):
    """Null, rather than a number that is wrong."""
    counts = make_counts(stage.room)
    await counts.report()
    assert stage.room.viewers == 0

    async def fail(*args):
        raise CacheUnavailable

    monkeypatch.setattr(cache, "report_viewers", fail)
    stage.join()
    await counts.report()
    assert stage.room.viewers is None


async def test_counting_goes_on_after_a_failure(stage, cache, make_counts, monkeypatch, wait_until):
    """One bad answer must not end it for all time."""
    monkeypatch.setattr("groundswell.broker.viewer_counts.CHANGED_SECONDS", 0.001)
    report, failures = cache.report_viewers, [RuntimeError("surprise")]

    async def fail_once(*args):
        if failures:
            raise failures.pop()
        await report(*args)

    monkeypatch.setattr(cache, "report_viewers", fail_once)
    stage.join()
    task = asyncio.create_task(make_counts(stage.room).report_forever())
    stage.clock.advance(REPORT_SECONDS)
    stage.join()
    await wait_until(lambda: not failures)
    stage.join()
    await wait_until(lambda: stage.room.viewers == 3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
