"""Following partitions: from memory at the end of the log, from the file where behind."""

from collections.abc import Awaitable, Callable

from groundswell.contract.ports.log import Batch, OffsetOutOfRange, Topic
from groundswell.log.schema import FIRST_LANE, partition_of_lane, topic_of
from groundswell.log.state import LogState
from groundswell.log.waker import Waker

BATCH_RECORDS_MAX = 1000

ReadLanes = Callable[[dict[int, int]], Awaitable[dict[int, Batch]]]
"""`{lane: offset} -> {lane: batch}`: read lanes from the file."""


class SqliteTail:
    """A `Tail`; `next_batches` may be called by one task at a time."""

    def __init__(self, state: LogState, read_file: ReadLanes) -> None:
        self._state = state
        self._read_file = read_file
        self._next: dict[int, int] = {}  # lane -> offset, of the lanes that are followed
        self._ready: set[int] = set()  # lanes that may have something
        self.waker = Waker()  # a group waits for more than records

    def follow(self, topic: Topic, partition: int, offset: int) -> None:
        """Start reading at `offset`; see `Tail`."""
        lane = FIRST_LANE[topic] + partition
        self._next[lane] = offset
        self._state.watch(lane, self)
        self.grown(lane)

    def unfollow(self, topic: Topic, partition: int) -> None:
        """Stop reading this partition; does nothing where it is not followed."""
        self._forget(FIRST_LANE[topic] + partition)

    async def next_batches(self) -> list[Batch]:
        """Wait for records; see `Tail`."""
        while not (batches := await self.collect()):
            await self.waker.wait()
        return batches

    async def close(self) -> None:
        """Let go; see `Tail`."""
        for lane in list(self._next):
            self._forget(lane)
        self.waker.close()

    # For `SqliteGroup`, which waits for more than records

    async def collect(self) -> list[Batch]:
        """Return what is there now, perhaps nothing.

        Raises what `Tail.next_batches` raises.
        """
        batches: dict[int, Batch] = {}
        behind: dict[int, int] = {}
        started: dict[int, int] = {}
        for lane in list(self._ready):
            offset = started[lane] = self._next[lane]
            bounds = self._state.bounds(lane)
            if not bounds.first <= offset <= bounds.end:
                self._forget(lane)
                raise OffsetOutOfRange(topic_of(lane), partition_of_lane(lane), offset, bounds)
            if offset == bounds.end:
                self._ready.discard(lane)
                continue
            records = self._state.recent.read(lane, offset, BATCH_RECORDS_MAX)
            if records is None:
                behind[lane] = offset
            else:
                end = records[-1].offset + 1
                batches[lane] = Batch(topic_of(lane), partition_of_lane(lane), records, end)
        if behind:
            batches |= await self._read_behind(behind)
        # While the file was read, a lane may have been unfollowed or set to another offset.
        kept = [lane for lane in batches if self._next.get(lane) == started[lane]]
        for lane in kept:
            self._next[lane] = batches[lane].end
        return [batches[lane] for lane in kept]

    def grown(self, lane: int) -> None:
        """Look at a lane again."""
        self._ready.add(lane)
        self.waker.wake()

    async def _read_behind(self, behind: dict[int, int]) -> dict[int, Batch]:
        try:
            return await self._read_file(behind)
        except OffsetOutOfRange as error:
            lane = FIRST_LANE[error.topic] + error.partition
            if self._next.get(lane) != error.offset:
                return {}  # it was moved meanwhile: not wrong any more
            self._forget(lane)
            raise

    def _forget(self, lane: int) -> None:
        self._next.pop(lane, None)
        self._ready.discard(lane)
        self._state.unwatch(lane, self)
