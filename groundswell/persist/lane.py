"""One partition's way through a projection: fold, publish, write, commit.

Two tasks share a lane. The first folds records into what is to be written, and publishes; the
second writes and commits what has come together while the former write was running, and for a
moment after it. So batches grow with load, and publishing does not wait for the store.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

import structlog

from groundswell.contract.events import UnreadableRecord
from groundswell.contract.ports.log import Batch, LogError, Record
from groundswell.contract.ports.store import Projection, ProjectionStore, StoreUnavailable
from groundswell.persist.backoff import Backoff

_log = structlog.get_logger("groundswell.persist")

# More rows make a transaction long without making a row cheaper.
LANE_ROWS_MAX = 8192
# While the store is away every lane fills up; all of a projection together wait with at most this
# many rows (of about 0.5 KB), but each with at least a few.
ROWS_MAX = 65_536
LANE_ROWS_MIN = 512
# After a write rows gather for so long, unless there are many: at a hundred comments a second a
# transaction for each was most of what they cost. Nobody waits for it: readers are served from the
# log until the store has a comment.
LINGER_S = 0.1

ValueT = TypeVar("ValueT")
BatchT = TypeVar("BatchT")
_BatchT = TypeVar("_BatchT", covariant=True)
_ResultT = TypeVar("_ResultT")


class Decoded(NamedTuple, Generic[ValueT]):
    """A record that could be read."""

    offset: int
    append_ms: int
    value: ValueT


class Fold(Protocol[ValueT, _BatchT]):
    """What a projection keeps of one partition. Only the lane calls it, in the order written."""

    def decode(self, value: bytes) -> ValueT:
        """Read a record's bytes; raises `UnreadableRecord`."""
        ...

    async def load(self, records: Sequence[Decoded[ValueT]]) -> None:
        """Fetch what folding these records needs. Repeated after `StoreUnavailable`."""
        ...

    def fold(self, records: Sequence[Decoded[ValueT]]) -> None:
        """Take records in, in log order."""
        ...

    async def publish(self) -> None:
        """Tell the log what the last `fold` changed. Repeated after `LogError`."""
        ...

    def settle(self) -> None:
        """Count what was published as to be written."""
        ...

    def unwritten_rows(self) -> int:
        """Return how many rows wait to be handed out."""
        ...

    def hand_out(self) -> _BatchT:
        """Return what is to be written; it is handed out once."""
        ...

    def written(self) -> None:
        """Hear that the store has what was handed out."""
        ...


@dataclass(slots=True)
class Counters:
    """What the lanes of one projection did, together."""

    records: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    retries: int = 0


class Held:
    """Bytes that were read and not yet folded, over all lanes of a projection."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._below = asyncio.Event()

    def add(self, change: int) -> None:
        """Count bytes that came (or, negative, went)."""
        self._bytes += change
        if self._bytes < self._limit:
            self._below.set()

    async def wait_room(self) -> None:
        """Wait until less than the limit is held."""
        while self._bytes >= self._limit:
            self._below.clear()
            await self._below.wait()


def rows_of_a_lane(lanes: int) -> int:
    """Return how many rows a lane may have unwritten, where there are so many lanes."""
    return max(LANE_ROWS_MIN, min(LANE_ROWS_MAX, ROWS_MAX // max(1, lanes)))


class Lane(Generic[ValueT, BatchT]):
    """The lane of one partition, from `applied` on. All methods belong to one event loop.

    `compacted`: the topic has tombstones, which say nothing to a projection. `rows_max` is asked
    how many rows may wait for the store.
    """

    def __init__(
        self,
        projection: Projection,
        partition: int,
        *,
        applied: int,
        compacted: bool,
        fold: Fold[ValueT, BatchT],
        store: ProjectionStore[BatchT],
        dead_letter: Callable[[int, Record, str], Awaitable[None]],
        commit: Callable[[int, int], Awaitable[None]],
        held: Held,
        rows_max: Callable[[], int],
        counters: Counters,
        backoff: Backoff,
    ) -> None:
        self.partition = partition
        self.applied = applied  # the next offset to apply: all before it is in the store
        self._events = _log.bind(projection=projection, partition=partition)
        self._compacted = compacted
        self._fold = fold
        self._store = store
        self._dead_letter = dead_letter
        self._commit = commit
        self._held = held
        self._rows_max = rows_max
        self._counters = counters
        self._backoff = backoff
        self._waiting: deque[Batch] = deque()
        self._folded = applied
        self._folds = True  # the first task is at work
        self._stop = asyncio.Event()
        self._arrived = asyncio.Event()
        self._settled = asyncio.Event()
        self._room = asyncio.Event()
        self._enough = asyncio.Event()  # rows, or reason, not to linger

    def put(self, batch: Batch) -> None:
        """Take a batch that follows the last one."""
        self._waiting.append(batch)
        self._held.add(_bytes_of(batch))
        self._arrived.set()

    def stop(self) -> None:
        """Let `run` return once what is folded is written, or the store refuses it."""
        self._stop.set()
        self._arrived.set()
        self._room.set()
        self._enough.set()

    async def run(self) -> None:
        """Work until `stop`, or until cancelled: then nothing more is written."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._fold_batches())
                tasks.create_task(self._write_batches())
        finally:
            self._held.add(-sum(_bytes_of(batch) for batch in self._waiting))
            self._waiting.clear()

    async def _fold_batches(self) -> None:
        try:
            while not self._stop.is_set():
                if not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
                    continue
                batch = self._waiting.popleft()
                self._held.add(-_bytes_of(batch))
                await self._take(batch)
                if self._fold.unwritten_rows() >= LANE_ROWS_MIN:
                    self._enough.set()
                while self._fold.unwritten_rows() >= self._rows_max() and not self._stop.is_set():
                    self._room.clear()
                    await self._room.wait()
        except (StoreUnavailable, LogError):
            if not self._stop.is_set():
                raise
        finally:
            self._folds = False
            self._settled.set()
            self._enough.set()

    async def _take(self, batch: Batch) -> None:
        fold = self._fold
        records = await self._decoded(batch)
        await self._persist(lambda: fold.load(records))
        fold.fold(records)
        await self._persist(fold.publish)
        fold.settle()
        self._counters.records += len(batch.records)
        if batch.end > self._folded:
            self._folded = batch.end
            self._settled.set()

    async def _decoded(self, batch: Batch) -> list[Decoded[ValueT]]:
        decode = self._fold.decode
        decoded: list[Decoded[ValueT]] = []
        for record in batch.records:
            if record.value is None and self._compacted:
                continue
            try:
                if record.value is None:
                    raise UnreadableRecord("record has no value")
                value = decode(record.value)
            except UnreadableRecord as error:
                if record.offset >= self.applied:
                    await self._bury(record, str(error))
            else:
                decoded.append(Decoded(record.offset, record.append_ms, value))
        return decoded

    async def _bury(self, record: Record, reason: str) -> None:
        # At once: bytes that cannot be read now cannot be read at another try either.
        await self._persist(lambda: self._dead_letter(self.partition, record, reason))
        self._counters.dead_letters += 1
        self._events.error("dead letter", offset=record.offset, reason=reason)

    async def _write_batches(self) -> None:
        try:
            while True:
                if self._folded > self.applied:
                    await self._write()
                    await self._linger()
                elif self._folds:
                    self._settled.clear()
                    await self._settled.wait()
                else:
                    return
        except StoreUnavailable:
            if not self._stop.is_set():
                raise

    async def _linger(self) -> None:
        if self._fold.unwritten_rows() >= LANE_ROWS_MIN:
            return
        if self._folds and not self._stop.is_set():
            self._enough.clear()
        await self._within(LINGER_S, self._enough)

    @staticmethod
    async def _within(seconds: float, event: asyncio.Event) -> None:
        # Not `wait_for`, which in Python 3.11 may lose a cancellation to an event that is set just
        # then: a lane that lost its partition would write once more.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    async def _write(self) -> None:
        upto = self._folded
        batch = self._fold.hand_out()
        self._room.set()
        await self._persist(lambda: self._store.apply(self.partition, batch, upto=upto))
        self.applied = upto
        self._fold.written()
        try:
            await self._commit(self.partition, upto)
        except LogError as error:  # the store knows better where to start than the group
            self._events.warning("commit failed", error=str(error))

    async def _persist(self, attempt: Callable[[], Awaitable[_ResultT]]) -> _ResultT:
        """Try until it works; when stopping, raise `StoreUnavailable` or `LogError` instead."""
        for delay in self._backoff.delays():
            try:
                return await attempt()
            except (StoreUnavailable, LogError) as error:
                if self._stop.is_set():
                    raise
                self._counters.retries += 1
                self._events.warning("will try again", after=delay, error=str(error))
            await self._within(delay, self._stop)
        raise AssertionError("delays never end")


def _bytes_of(batch: Batch) -> int:
    return sum(len(record.value) for record in batch.records if record.value is not None)
