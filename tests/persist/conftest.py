"""A log in memory that can be told to fail, and stores on files of their own."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from groundswell.contract import faultpoints
from groundswell.contract.ports.log import (
    Appended,
    Batch,
    Bounds,
    LogUnavailable,
    Lost,
    OffsetOutOfRange,
    Record,
    StartAt,
    Tail,
    Topic,
)
from groundswell.persist.sqlite_store import SqliteStore

POLL_SECONDS = 0.002
DEADLINE_SECONDS = 20.0
EPOCH = "0123456789abcdef"


class MemoryGroup:
    """The one member of a group; `take_away` is what a rebalance would do."""

    def __init__(
        self, log: "MemoryLog", topic: Topic, start_at: StartAt | None, lost: Lost | None
    ) -> None:
        self._log = log
        self._topic = topic
        self._start_at = start_at
        self._lost = lost
        self._next: dict[int, int] | None = None
        self.commits: dict[int, int] = {}
        self.closed = False

    async def next_batches(self) -> list[Batch]:
        if self._next is None:
            starts = {}
            for partition in range(self._log.partitions(self._topic)):
                offset = 0 if self._start_at is None else await self._start_at(partition, None)
                starts[partition] = offset
            self._next = starts
        while True:
            changed = self._log.changed
            batches = [
                await self._log.read(
                    self._topic, partition, offset, max_records=self._log.records_a_batch
                )
                for partition, offset in self._next.items()
                if offset < len(self._log.records[self._topic, partition])
            ]
            if batches:
                self._next.update({batch.partition: batch.end for batch in batches})
                return batches
            await changed.wait()

    async def commit(self, partition: int, offset: int) -> None:
        if self._log.refused_commits:
            self._log.refused_commits -= 1
            raise LogUnavailable("commit refused")
        self.commits[partition] = offset

    async def committed(self, partition: int) -> int | None:
        return self.commits.get(partition)

    async def close(self) -> None:
        self.closed = True

    def take_away(self, partition: int) -> None:
        assert self._next is not None
        del self._next[partition]
        if self._lost is not None:
            self._lost(partition)


class MemoryLog:
    """The log's port, in memory. A record's append time is `now_ms`, which a test moves."""

    def __init__(self, *, partitions: int = 2, records_a_batch: int = 1000) -> None:
        self._partitions = partitions
        self.records_a_batch = records_a_batch
        self.records: defaultdict[tuple[Topic, int], list[Record]] = defaultdict(list)
        self.groups: list[MemoryGroup] = []
        self.changed = asyncio.Event()
        self.now_ms = 1_000_000
        self.refused_appends = 0
        self.refused_commits = 0

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def partitions(self, topic: Topic) -> int:
        return self._partitions

    def epoch(self, topic: Topic) -> str:
        return EPOCH

    def generation(self) -> int:
        return 1

    def replaced(self) -> None:
        return None

    def writable(self) -> bool:
        return self.refused_appends == 0

    async def append(
        self, topic: Topic, partition: int, value: bytes | None, *, key: bytes | None = None
    ) -> Appended:
        if self.refused_appends:
            self.refused_appends -= 1
            raise LogUnavailable("append refused")
        records = self.records[topic, partition]
        records.append(Record(len(records), self.now_ms, key, value))
        self.changed.set()
        self.changed = asyncio.Event()
        return Appended(len(records) - 1, self.now_ms)

    async def read(
        self, topic: Topic, partition: int, offset: int, *, max_records: int = 1000
    ) -> Batch:
        records = self.records[topic, partition]
        if not 0 <= offset <= len(records):
            raise OffsetOutOfRange(topic, partition, offset, Bounds(0, len(records)))
        page = records[offset : offset + max_records]
        return Batch(topic, partition, page, offset + len(page))

    async def bounds(self, topic: Topic, partition: int) -> Bounds:
        return Bounds(0, len(self.records[topic, partition]))

    async def offset_at(self, topic: Topic, partition: int, time_ms: int) -> int:
        records = self.records[topic, partition]
        return next((r.offset for r in records if r.append_ms >= time_ms), len(records))

    def tail(self) -> Tail:
        raise AssertionError("projections read as a group")

    def group(
        self,
        name: str,
        topic: Topic,
        *,
        start_at: StartAt | None = None,
        lost: Lost | None = None,
    ) -> MemoryGroup:
        self.groups.append(MemoryGroup(self, topic, start_at, lost))
        return self.groups[-1]


@pytest.fixture
def new_log() -> Callable[..., MemoryLog]:
    """Make a log in memory, for tests that need more than one."""
    return MemoryLog


@pytest.fixture
def log() -> MemoryLog:
    """A log in memory."""
    return MemoryLog()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store's file is."""
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """An open, empty store."""
    store = SqliteStore(path, generation=1, log_epoch=EPOCH)
    await store.start()
    yield store
    await store.close()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], object]:
    """Wait for a condition, at most until the deadline."""

    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():  # noqa: ASYNC110  any condition, not one with an event
                await asyncio.sleep(POLL_SECONDS)

    return wait


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """No fault point outlives its test."""
    yield
    faultpoints.disarm()
