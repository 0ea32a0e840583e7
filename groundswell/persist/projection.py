"""The loop that every projection shares: read the log as a group, one lane a partition.

Order within a lane: publish what is published, write the store, then commit to the group. Where
to start comes from the store, so that whatever was written before a crash is not written twice.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

import structlog

from groundswell.contract.ports.log import COMPACTED, Group, Log, LogError, Record, Topic
from groundswell.contract.ports.store import (
    DeadLetters,
    Projection,
    ProjectionStore,
    StoreUnavailable,
)
from groundswell.contract.statistics import Count
from groundswell.persist.backoff import Backoff
from groundswell.persist.lane import (
    BatchT,
    Counters,
    Fold,
    Held,
    Lane,
    ValueT,
    rows_of_a_lane,
)
from groundswell.persist.rewind import Start, find_start

_log = structlog.get_logger("groundswell.persist")

# Read but not yet folded, over all lanes: 8 MiB are about 30,000 comments, under a second's work.
WAITING_BYTES_MAX = 8 << 20


def group_of(projection: Projection) -> str:
    """Return the name of a projection's consumer group."""
    return f"groundswell-{projection.value}"


@dataclass(frozen=True, slots=True)
class ProjectionStatistics:
    """What a projection did since it was started."""

    projection: Projection
    partitions: int  # owned now
    records: Count  # folded, rewound and duplicate ones included
    duplicates: Count
    dead_letters: Count
    retries: Count  # of the store or the log
    restarts: Count  # after an error that nobody foresaw


class ProjectionWorker(Generic[ValueT, BatchT]):
    """One member of a projection's group. All methods belong to one event loop.

    `new_fold(partition, applied)` makes what the projection keeps of a partition; `rewinds` says
    whether it must see the records of the duplicate window before the first that it applies.
    """

    def __init__(
        self,
        *,
        projection: Projection,
        topic: Topic,
        log: Log,
        store: ProjectionStore[BatchT],
        dead_letters: DeadLetters,
        new_fold: Callable[[int, int], Fold[ValueT, BatchT]],
        rewinds: bool,
        counters: Counters,
        backoff: Backoff | None = None,
    ) -> None:
        self._projection = projection
        self._topic = topic
        self._source = log
        self._store = store
        self._dead_letters = dead_letters
        self._new_fold = new_fold
        self._rewinds = rewinds
        self._counters = counters
        self._backoff = backoff or Backoff()
        self._restarts = 0
        self._held = Held(WAITING_BYTES_MAX)
        self._lanes: dict[int, Lane[ValueT, BatchT]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._starting: dict[int, object] = {}  # partition -> the call that opens its lane
        self._ending: dict[int, asyncio.Task[None]] = {}  # lanes that were lost and are cancelled
        self._group: Group | None = None
        self._membership: asyncio.TaskGroup | None = None
        self._reader: asyncio.Task[None] | None = None
        self._main: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Begin to work; the store and the log are open already."""
        self._main = asyncio.create_task(self._run(), name=f"projection-{self._projection}")

    async def close(self) -> None:
        """Write what is folded, leave the group. Idempotent."""
        self._stopping = True
        main, self._main = self._main, None
        if main is None:
            return
        if self._membership is None or self._reader is None:  # nothing is under way
            main.cancel()
        else:
            self._reader.cancel()
            for lane in self._lanes.values():
                lane.stop()
        await asyncio.wait([main])

    def statistics(self) -> ProjectionStatistics:
        """Return counters for the metrics."""
        counters = self._counters
        return ProjectionStatistics(
            self._projection,
            len(self._lanes),
            counters.records,
            counters.duplicates,
            counters.dead_letters,
            counters.retries,
            self._restarts,
        )

    async def lag(self) -> int:
        """Return how many records of the owned partitions are not in the store yet."""
        lanes = list(self._lanes.values())
        ends = await asyncio.gather(
            *(self._source.bounds(self._topic, lane.partition) for lane in lanes)
        )
        return sum(
            max(0, bounds.end - lane.applied) for lane, bounds in zip(lanes, ends, strict=True)
        )

    async def _run(self) -> None:
        """Be a member; after an error that nobody foresaw, start afresh from the store."""
        for delay in self._backoff.delays():
            try:
                await self._be_member()
            except Exception:  # noqa: BLE001  whatever it was, the store says where to go on
                self._restarts += 1
                _log.exception("projection starts again", projection=self._projection, after=delay)
            if self._stopping:
                return
            await asyncio.sleep(delay)

    async def _be_member(self) -> None:
        group = self._source.group(
            group_of(self._projection),
            self._topic,
            start_at=self._start_at,
            lost=self._lose,
        )
        self._group = group
        try:
            async with asyncio.TaskGroup() as membership:
                self._membership = membership
                self._reader = membership.create_task(self._read(group))
        finally:
            self._membership = self._reader = None
            self._lanes.clear()
            self._tasks.clear()
            self._starting.clear()
            await group.close()

    async def _read(self, group: Group) -> None:
        delays = self._backoff.delays()
        while True:
            try:
                batches = await group.next_batches()
            except LogError as error:
                _log.warning("cannot read", projection=self._projection, error=str(error))
                await asyncio.sleep(next(delays))
                continue
            delays = self._backoff.delays()
            for batch in batches:
                if (lane := self._lanes.get(batch.partition)) is not None:
                    lane.put(batch)
            await self._held.wait_room()

    async def _start_at(self, partition: int, committed: int | None) -> int:
        """Open the lane of a partition that came to us.

        The store alone says where: the group's commit may be older, or of another store.
        """
        self._lose(partition)
        if (former := self._ending.get(partition)) is not None:
            await asyncio.wait([former])  # so that a partition never has two lanes
        call = self._starting[partition] = object()
        start = await self._find_start(partition, call)
        if start is None or self._starting.get(partition) is not call:
            return committed or 0  # lost again meanwhile, so nobody reads from there
        del self._starting[partition]
        if self._membership is not None and not self._stopping:
            lane = self._new_lane(partition, start.apply_from)
            self._lanes[partition] = lane
            self._tasks[partition] = self._membership.create_task(lane.run())
        return start.read_from

    def _new_lane(self, partition: int, applied: int) -> Lane[ValueT, BatchT]:
        return Lane(
            self._projection,
            partition,
            applied=applied,
            compacted=self._topic in COMPACTED,
            fold=self._new_fold(partition, applied),
            store=self._store,
            dead_letter=self._bury,
            commit=self._commit,
            held=self._held,
            rows_max=lambda: rows_of_a_lane(len(self._lanes)),
            counters=self._counters,
            backoff=self._backoff,
        )

    async def _find_start(self, partition: int, call: object) -> Start | None:
        """Ask store and log until they answer, or until the partition is not ours any more."""
        for delay in self._backoff.delays():
            try:
                applied = await self._store.applied_offset(self._projection, partition)
                return await find_start(
                    self._source, self._topic, partition, applied=applied, rewinds=self._rewinds
                )
            except (StoreUnavailable, LogError) as error:
                _log.warning(
                    "cannot start",
                    projection=self._projection,
                    partition=partition,
                    error=str(error),
                )
            if self._starting.get(partition) is not call:
                return None
            await asyncio.sleep(delay)
        raise AssertionError("delays never end")

    def _lose(self, partition: int) -> None:
        self._starting.pop(partition, None)
        self._lanes.pop(partition, None)
        task = self._tasks.pop(partition, None)
        if task is not None and not task.done():
            task.cancel()
            self._ending[partition] = task
            task.add_done_callback(lambda _: self._ending.pop(partition, None))

    async def _bury(self, partition: int, record: Record, reason: str) -> None:
        await self._dead_letters.dead_letter(self._topic, partition, record, reason=reason)

    async def _commit(self, partition: int, offset: int) -> None:
        if self._group is not None:
            await self._group.commit(partition, offset)
