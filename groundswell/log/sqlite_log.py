"""The log in one SQLite file, for one process.

Owners: the event loop owns `LogState`, tails and groups; the writer thread owns the connection
that writes (`writer.py`); the reader threads own theirs (`reader.py`). The loop never waits for a
file: it hands requests over and is called back.
"""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from groundswell.contract.clock import Clock
from groundswell.contract.ports.log import (
    RECORD_BYTES_MAX,
    UNPARTITIONED,
    Appended,
    Batch,
    Bounds,
    LogError,
    LogReplaced,
    LogUnavailable,
    Lost,
    OffsetOutOfRange,
    Record,
    RecordTooLarge,
    StartAt,
    Topic,
)
from groundswell.log.caretaker import UpkeepRules
from groundswell.log.group import Commits, Membership, SqliteGroup
from groundswell.log.reader import Reader
from groundswell.log.requests import (
    Append,
    CommitOffset,
    LogStatistics,
    RunUpkeep,
    Stop,
)
from groundswell.log.schema import FIRST_LANE, PARTITIONS_MAX, partition_of_lane, topic_of
from groundswell.log.state import LogState
from groundswell.log.tail import BATCH_RECORDS_MAX, SqliteTail
from groundswell.log.upkeep import LaneEnd
from groundswell.log.writer import Writer

HOUR_MS = 3_600_000
READER_THREADS = 2  # one may be busy with a long way behind, the other answers short reads
RECENT_BYTES = 16 << 20
QUEUE_BYTES_MAX = 64 << 20  # not yet durable; a disk that stalls must not fill the memory
_APPEND_BYTES = 512  # about what a waiting append takes beside its key and value

_T = TypeVar("_T")


class SqliteLog:
    """A `Log` in one file. Times are in milliseconds.

    `retention_ms`: how long `events` and `reactions` are kept at least; what a group of `keep_for`
    has not committed is kept however old it is. `tombstone_ms`: how long compaction keeps
    tombstones. `max_bytes`: the file does not grow beyond it, appends then fail with `LogFull`.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        partitions: int = 64,
        retention_ms: int = 72 * HOUR_MS,
        tombstone_ms: int = 24 * HOUR_MS,
        keep_for: Collection[tuple[str, Topic]] = (),
        max_bytes: int | None = None,
    ) -> None:
        if not 1 <= partitions <= PARTITIONS_MAX:
            raise ValueError(f"{partitions} partitions, must be 1 to {PARTITIONS_MAX}")
        self._path = path
        self._clock = clock
        self._partitions = {topic: 1 if topic in UNPARTITIONED else partitions for topic in Topic}
        self._max_bytes = max_bytes
        self._rules = UpkeepRules(
            retention_ms=retention_ms, tombstone_ms=tombstone_ms, keep_for=tuple(keep_for)
        )
        self._state = LogState(recent_bytes=RECENT_BYTES)
        self._epochs: dict[Topic, str] = {}
        self._commits: Commits = {}
        self._memberships: dict[tuple[str, Topic], Membership] = {}
        self._reader = Reader(path)
        self._threads = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="log-reader")
        self._writer: Writer | None = None
        self._opened: asyncio.Future[None] | None = None
        self._stopped: asyncio.Future[None] | None = None
        self._accepting = False
        self._writable = False
        self._queued_bytes = 0

    async def start(self) -> None:
        """Open the file, or make it; raises `LogUnavailable` with what to do about it."""
        loop = asyncio.get_running_loop()
        self._opened = loop.create_future()
        self._stopped = loop.create_future()
        self._writer = Writer(
            self._path,
            self,
            clock=self._clock,
            partitions=self._partitions[Topic.EVENTS],
            max_bytes=self._max_bytes,
            rules=self._rules,
        )
        self._writer.start()
        await self._opened

    async def close(self) -> None:
        """Finish what was accepted, then let go. Idempotent."""
        if self._writer is None or self._stopped is None or not self._accepting:
            return
        self._accepting = False
        self._writer.put(Stop())
        await self._stopped
        await self._in_reader_thread(self._reader.close)
        self._threads.shutdown(wait=False)

    def partitions(self, topic: Topic) -> int:
        """Return how many partitions the topic has."""
        return self._partitions[topic]

    def epoch(self, topic: Topic) -> str:
        """Return 16 hex digits that were drawn when the file was made."""
        return self._epochs[topic]

    def generation(self) -> int:
        """Return 1: a file is never made anew under the stores beside it."""
        return 1

    def replaced(self) -> LogReplaced | None:
        """Return None: nobody can replace the file of an open log."""
        return None

    def writable(self) -> bool:
        """Whether the last attempt to append worked; after a failure, whether a probe did."""
        return self._writable

    def statistics(self) -> LogStatistics:
        """Return the counters; callable from the event loop at any time."""
        return LogStatistics() if self._writer is None else self._writer.statistics()

    async def append(
        self, topic: Topic, partition: int, value: bytes | None, *, key: bytes | None = None
    ) -> Appended:
        """Append one record; see `Log`."""
        size = _size(key, value)
        if size > RECORD_BYTES_MAX + _APPEND_BYTES:
            raise RecordTooLarge(
                f"record of {size - _APPEND_BYTES} bytes is over {RECORD_BYTES_MAX}"
            )
        lane = self._lane(topic, partition)
        if not self._accepting or self._opened is None or self._writer is None:
            raise LogUnavailable("the log is not open")
        if self._queued_bytes > QUEUE_BYTES_MAX:
            raise LogUnavailable("too much waits for the disk")
        self._queued_bytes += size
        done: asyncio.Future[Appended] = self._opened.get_loop().create_future()
        self._writer.put((done, lane, key, value))
        return await done

    async def read(
        self, topic: Topic, partition: int, offset: int, *, max_records: int = 1000
    ) -> Batch:
        """Return records from `offset` on; see `Log`."""
        lane = self._lane(topic, partition)
        bounds = self._state.bounds(lane)
        if not bounds.first <= offset <= bounds.end:
            raise OffsetOutOfRange(topic, partition, offset, bounds)
        if offset == bounds.end:
            return Batch(topic, partition, (), offset)
        recent = self._state.recent.read(lane, offset, max_records)
        if recent is not None:
            return Batch(topic, partition, recent, recent[-1].offset + 1)
        records, end = await self._in_reader_thread(
            self._reader.read, lane, offset, bounds.end, max_records
        )
        return Batch(topic, partition, records, end)

    async def bounds(self, topic: Topic, partition: int) -> Bounds:
        """Return the readable range as of now; see `Log`."""
        return self._state.bounds(self._lane(topic, partition))

    async def offset_at(self, topic: Topic, partition: int, time_ms: int) -> int:
        """Return the first offset appended at or after a time; see `Log`."""
        lane = self._lane(topic, partition)
        first, end = self._state.bounds(lane)
        return await self._in_reader_thread(self._reader.offset_at, lane, first, end, time_ms)

    def tail(self) -> SqliteTail:
        """Return a reader of partitions of one's own choice."""
        return SqliteTail(self._state, self._read_behind)

    def group(
        self,
        name: str,
        topic: Topic,
        *,
        start_at: StartAt | None = None,
        lost: Lost | None = None,
    ) -> SqliteGroup:
        """Join a consumer group; see `Log`."""
        membership = self._memberships.setdefault(
            (name, topic), Membership(self._partitions[topic])
        )
        member = SqliteGroup(
            name,
            topic,
            membership=membership,
            tail=self.tail(),
            state=self._state,
            commits=self._commits,
            save=self._save_commit,
            start_at=start_at,
            lost=lost,
        )
        membership.join(member)
        return member

    async def run_upkeep(self) -> None:
        """Compact and expire now, whether or not it is worth it; returns when it is done.

        Raises `LogUnavailable` if the log is not open.
        """
        if not self._accepting or self._writer is None:
            raise LogUnavailable("the log is not open")
        request = RunUpkeep(asyncio.get_running_loop().create_future())
        self._writer.put(request)
        await request.done

    # `Listener`: what the writer thread tells, here on the event loop

    def opened(
        self,
        epochs: dict[Topic, str],
        lanes: dict[int, LaneEnd],
        commits: dict[tuple[str, int], int],
    ) -> None:
        """Begin with what the file holds; after an error, again."""
        self._epochs = epochs
        self._state.load(lanes)
        for key, offset in commits.items():
            self._commits[key] = max(offset, self._commits.get(key, 0))
        self._writable = True
        if self._opened is not None and not self._opened.done():
            self._accepting = True
            self._opened.set_result(None)

    def written(
        self, waiting: list[Append], records: list[Record], by_lane: dict[int, list[Record]]
    ) -> None:
        """Tell readers and callers about a durable batch."""
        self._writable = True
        # Readers first: when `append` returns, `bounds` and `read` have the record.
        self._state.extend(by_lane)
        for (done, _, key, value), record in zip(waiting, records, strict=True):
            self._queued_bytes -= _size(key, value)
            if not done.done():  # else its caller was cancelled
                done.set_result(Appended(record.offset, record.append_ms))

    def failed(self, waiting: list[Append], error: LogError) -> None:
        """Tell callers that their batch is not durable."""
        self._writable = False
        for done, _, key, value in waiting:
            self._queued_bytes -= _size(key, value)
            if not done.done():
                # One each: a shared exception would collect the tracebacks of all callers.
                done.set_exception(type(error)(*error.args))

    def trimmed(self, lane: int, first: int) -> None:
        """Note what retention deleted."""
        self._state.trim(lane, first)

    def recovered(self) -> None:
        """Let callers try again."""
        self._writable = True

    def upkeep_done(self, request: RunUpkeep) -> None:
        """Let `run_upkeep` return."""
        if not request.done.done():
            request.done.set_result(None)

    def stopped(self, error: LogError | None) -> None:
        """Let `close` go on, or `start` fail."""
        self._writable = False
        if error is not None and self._writer is not None:
            self._accepting = False
            self.failed(self._writer.left(), error)
        if error is not None and self._opened is not None and not self._opened.done():
            self._threads.shutdown(wait=False)
            self._opened.set_exception(error)
        if self._stopped is not None:
            self._stopped.set_result(None)

    # The rest

    def _lane(self, topic: Topic, partition: int) -> int:
        if not 0 <= partition < self._partitions[topic]:
            raise ValueError(f"{topic} has no partition {partition}")
        return FIRST_LANE[topic] + partition

    def _save_commit(self, group: str, lane: int, offset: int) -> None:
        if self._accepting and self._writer is not None:
            self._writer.put(CommitOffset(group, lane, offset))

    async def _read_behind(self, offsets: dict[int, int]) -> dict[int, Batch]:
        ends = {lane: self._state.end(lane) for lane in offsets}
        return await self._in_reader_thread(self._read_lanes, offsets, ends)

    def _read_lanes(self, offsets: dict[int, int], ends: dict[int, int]) -> dict[int, Batch]:
        batches = {}
        for lane, offset in offsets.items():
            records, end = self._reader.read(lane, offset, ends[lane], BATCH_RECORDS_MAX)
            batches[lane] = Batch(topic_of(lane), partition_of_lane(lane), records, end)
        return batches

    async def _in_reader_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, function, *arguments)
        except RuntimeError as error:  # the executor was shut down
            raise LogUnavailable("the log is not open") from error


def _size(key: bytes | None, value: bytes | None) -> int:
    """Return what a waiting append counts for in the queue's bound."""
    return _APPEND_BYTES + (0 if value is None else len(value)) + (0 if key is None else len(key))
