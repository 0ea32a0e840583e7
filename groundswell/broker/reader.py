"""Reads the partitions that somebody here needs, and only those, without a consumer group."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from groundswell.broker.partition import OpenPartition
from groundswell.contract.clock import Clock
from groundswell.contract.ports.log import (
    Batch,
    Log,
    LogError,
    LogReplaced,
    LogUnavailable,
    OffsetOutOfRange,
    Topic,
)
from groundswell.contract.problems import Refused
from groundswell.contract.settings import RoomSettings
from groundswell.contract.statistics import Count
from groundswell.log.rewind import rewound_offset

OPEN_SECONDS = 5.0  # how long a request waits for a partition that is being opened
BEHIND_SECONDS = 0.25  # how long it waits for an open one to reach the log's end
RETRY_SECONDS = 0.5
TOTALS_REWOUND = 1000  # published just before we came, and perhaps not in the store yet
LINGER_SECONDS = 60.0  # an unused partition stays open: the next viewer finds it warm

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReaderStatistics:
    """What is open, and what it holds."""

    partitions: int
    backlog_bytes: int
    duplicates: Count
    unreadable: Count


class Reader:
    """Opens partitions on demand and feeds them from one tail of the log."""

    def __init__(self, log: Log, *, settings: RoomSettings, clock: Clock) -> None:
        self._log = log
        self._settings = settings
        self._clock = clock
        self._tail = log.tail()
        self._partitions: dict[int, OpenPartition] = {}
        self._opening: dict[int, asyncio.Task[OpenPartition]] = {}
        self._used_at: dict[int, float] = {}
        self._waiting: dict[int, list[tuple[int, asyncio.Future[None]]]] = {}
        self._task: asyncio.Task[None] | None = None
        # Told of a partition that had rooms and cannot be read any more; set by `Rooms`.
        self.lost: Callable[[OpenPartition], None] | None = None

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._read_forever(), name="partition reader")

    async def stop(self) -> None:
        """Stop reading; nothing here is used any more."""
        tasks = [*self._opening.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._tail.close()

    def opened(self, number: int) -> OpenPartition | None:
        """Return a partition if it is open and warm."""
        partition = self._partitions.get(number)
        if partition is None or not partition.warm:
            return None
        self._used_at[number] = self._clock.monotonic()
        return partition

    async def open(self, number: int) -> OpenPartition:
        """Return a partition, open and warm; all who wait share one opening.

        Raises `Refused` (reads_behind, log_unavailable).
        """
        partition = self.opened(number)
        if partition is not None:
            return partition
        task = self._opening.get(number)
        if task is None:
            task = asyncio.create_task(self._open_one(number), name=f"open partition {number}")
            self._opening[number] = task
            task.add_done_callback(lambda _: self._opening.pop(number, None))
        try:
            partition = await asyncio.wait_for(asyncio.shield(task), OPEN_SECONDS)
        except TimeoutError as error:
            raise Refused("reads_behind", "the partition is being opened") from error
        except LogError as error:
            raise Refused("log_unavailable") from error
        if self._partitions.get(number) is not partition:  # lost before we were woken
            raise Refused("reads_behind")
        return partition

    async def wait_reached(self, partition: OpenPartition, offset: int) -> None:
        """Wait until a partition is read up to `offset`; raises `Refused` after 250 ms."""
        if partition.next_offset >= offset:
            return
        try:
            async with asyncio.timeout(BEHIND_SECONDS):
                await self._reach(partition, offset)
        except TimeoutError as error:
            raise Refused("reads_behind") from error

    def housekeep(self) -> None:
        """Forget what cannot be resumed from, keep to the memory cap, close what is unused."""
        now = self._clock.monotonic()
        oldest_ms = self._clock.wall_ms() - int(self._settings.resume_window * 1000)
        for number, partition in list(self._partitions.items()):
            partition.forget_before(oldest_ms)
            if partition.rooms or number in self._opening:
                self._used_at[number] = now
            elif now - self._used_at[number] > LINGER_SECONDS:
                self._close_one(number)
        while sum(p.backlog.bytes for p in self._partitions.values()) > self._settings.resume_bytes:
            largest = max(self._partitions.values(), key=lambda p: p.backlog.bytes)
            largest.backlog.forget_oldest(0.1)

    def statistics(self) -> ReaderStatistics:
        """Return what is open."""
        partitions = self._partitions.values()
        return ReaderStatistics(
            partitions=len(partitions),
            backlog_bytes=sum(p.backlog.bytes for p in partitions),
            duplicates=sum(p.duplicates for p in partitions),
            unreadable=sum(p.unreadable for p in partitions),
        )

    async def _open_one(self, number: int) -> OpenPartition:
        """Follow a partition from as far back as resuming needs, and read it to its end."""
        log = self._log
        window_start_ms = self._clock.wall_ms() - int(self._settings.resume_window * 1000)
        bounds = await log.bounds(Topic.EVENTS, number)
        first_used = await log.offset_at(Topic.EVENTS, number, window_start_ms)
        start = await rewound_offset(log, number, first_used)
        totals = await log.bounds(Topic.TOTALS, number)
        partition = OpenPartition(
            number,
            start=start,
            first_used=max(start, first_used),
            display_rate=self._settings.display_rate,
        )
        self._partitions[number] = partition
        self._used_at[number] = self._clock.monotonic()
        self._tail.follow(Topic.TOTALS, number, max(totals.first, totals.end - TOTALS_REWOUND))
        self._tail.follow(Topic.EVENTS, number, start)
        try:
            await self._reach(partition, bounds.end)
        except BaseException:
            if self._partitions.get(number) is partition:
                self._close_one(number)
            raise
        partition.warm = True
        return partition

    async def _reach(self, partition: OpenPartition, offset: int) -> None:
        if partition.next_offset < offset:
            reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            waiting = (offset, reached)
            self._waiting.setdefault(partition.number, []).append(waiting)
            try:
                await reached
            finally:  # where the log stands still nobody else takes out those who gave up
                with contextlib.suppress(KeyError, ValueError):
                    self._waiting[partition.number].remove(waiting)

    def _wake(self, partition: OpenPartition) -> None:
        """Tell those who wait for an offset that was reached now."""
        waiting = self._waiting.pop(partition.number, None)
        if waiting is None:
            return
        later = []
        for offset, reached in waiting:
            if offset > partition.next_offset:
                later.append((offset, reached))
            elif not reached.done():
                reached.set_result(None)
        if later:
            self._waiting[partition.number] = later

    def _close_one(self, number: int) -> None:
        self._tail.unfollow(Topic.EVENTS, number)
        self._tail.unfollow(Topic.TOTALS, number)
        self._used_at.pop(number, None)
        partition = self._partitions.pop(number, None)
        for _, reached in self._waiting.pop(number, ()):
            if not reached.done():
                reached.set_exception(Refused("reads_behind"))
        if partition is not None and partition.rooms and self.lost is not None:
            self.lost(partition)

    async def _read_forever(self) -> None:
        while True:
            try:
                batches = await self._tail.next_batches()
            except OffsetOutOfRange as error:
                log.error("partition is gone", error=str(error))
                self._close_one(error.partition)
                continue
            except (LogUnavailable, LogReplaced) as error:  # of a replaced one the process ends
                log.warning("log cannot be read", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except Exception:  # a log that fails in ways of its own is tried again, too
                log.exception("log cannot be read")
                await asyncio.sleep(RETRY_SECONDS)
                continue
            # Comments before their totals: a room keeps totals only of comments it has seen.
            for batch in sorted(batches, key=lambda b: b.topic is not Topic.EVENTS):
                self._take(batch)
            # A tail that has everything in memory never waits: let others have their turn.
            await asyncio.sleep(0)

    def _take(self, batch: Batch) -> None:
        partition = self._partitions.get(batch.partition)
        if partition is None:
            return
        try:
            if batch.topic is Topic.EVENTS:
                partition.accept_events(batch)
                self._wake(partition)
            else:
                partition.accept_totals(batch)
        except Exception:  # it may miss records now: whoever needs it opens it anew
            log.exception("partition failed", partition=batch.partition)
            self._close_one(batch.partition)
