"""Concurrent appends share one commit, and the event loop is never held up."""

import asyncio
import threading

import pytest

from groundswell.contract import faultpoints
from groundswell.contract.ports.log import LogUnavailable, Topic


async def test_what_gathers_during_a_commit_shares_the_next(folder):
    """While the disk is busy with one record, a hundred others wait, and need one more commit."""
    log = await folder.open()
    held, release = threading.Event(), threading.Event()

    def hold():
        faultpoints.disarm()
        held.set()
        release.wait(10)

    faultpoints.arm("log.before_commit", hold)
    first = asyncio.ensure_future(log.append(Topic.EVENTS, 0, b"first"))
    await asyncio.get_running_loop().run_in_executor(None, held.wait, 10)
    others = [asyncio.ensure_future(log.append(Topic.EVENTS, n % 4, b"x")) for n in range(100)]
    await asyncio.sleep(0)
    assert not first.done()
    release.set()
    await asyncio.gather(first, *others)
    statistics = log.statistics()
    assert (statistics.appended, statistics.commits) == (101, 2)
    assert statistics.appended_bytes == 5 + 100
    assert statistics.queue_depth == 0


async def test_the_loop_runs_on_while_the_disk_stalls(folder):
    """A commit that hangs delays its own callers and nobody else."""
    log = await folder.open()
    await log.append(Topic.EVENTS, 0, b"there")
    held, release = threading.Event(), threading.Event()

    def hold():
        held.set()
        release.wait(10)

    faultpoints.arm("log.before_commit", hold)
    stalled = asyncio.ensure_future(log.append(Topic.EVENTS, 0, b"stalled"))
    await asyncio.get_running_loop().run_in_executor(None, held.wait, 10)
    assert (await log.bounds(Topic.EVENTS, 0)).end == 1
    assert len((await log.read(Topic.EVENTS, 0, 0)).records) == 1
    assert not stalled.done()
    release.set()
    assert (await stalled).offset == 1


async def test_a_queue_that_only_grows_is_refused(folder, monkeypatch):
    """A stalled disk must not fill the memory."""
    monkeypatch.setattr("groundswell.log.sqlite_log.QUEUE_BYTES_MAX", 10_000)
    log = await folder.open()
    held, release = threading.Event(), threading.Event()

    def hold():
        held.set()
        release.wait(10)

    faultpoints.arm("log.before_commit", hold)
    waiting = [asyncio.ensure_future(log.append(Topic.EVENTS, 0, b"x" * 5000)) for _ in range(2)]
    await asyncio.get_running_loop().run_in_executor(None, held.wait, 10)
    with pytest.raises(LogUnavailable):
        await log.append(Topic.EVENTS, 0, b"one more")
    release.set()
    await asyncio.gather(*waiting)
    assert (await log.append(Topic.EVENTS, 0, b"again")).offset == 2


async def test_append_times_hold_when_the_clock_goes_back(folder, clock):
    """Within the log they never decrease, over a restart either."""
    log = await folder.open()
    first = await log.append(Topic.EVENTS, 0, b"1")
    clock.advance(-3600)
    second = await log.append(Topic.EVENTS, 0, b"2")
    await log.close()
    log = await folder.open()
    third = await log.append(Topic.EVENTS, 0, b"3")
    assert first.append_ms == second.append_ms == third.append_ms


async def test_a_log_that_is_not_open_refuses(folder):
    """Before `start` and after `close`."""
    log = await folder.open()
    await log.close()
    with pytest.raises(LogUnavailable):
        await log.append(Topic.EVENTS, 0, b"x")
    assert not log.writable()


async def test_a_partition_that_is_not_there_is_the_callers_mistake(folder):
    """Not an error of the log."""
    log = await folder.open()
    with pytest.raises(ValueError, match="no partition 4"):
        await log.append(Topic.EVENTS, 4, b"x")
