"""The rooms of one broker: opened when somebody comes, closed when nobody is left."""

import asyncio
from collections.abc import Iterator, Mapping

from groundswell.broker.partition import OpenPartition
from groundswell.broker.plane import Handle, Plane
from groundswell.broker.reader import Reader
from groundswell.broker.reads import Reads
from groundswell.broker.room import Room
from groundswell.contract.clock import Clock
from groundswell.contract.partition import partition_of
from groundswell.contract.ports.log import Log, LogError, Topic
from groundswell.contract.position import Position
from groundswell.contract.problems import Refused
from groundswell.contract.settings import RoomSettings

LINGER_SECONDS = 30.0  # an empty room stays: the one viewer of a quiet video may reload


class Rooms:
    """Joins viewers to rooms. Call `housekeep` every second."""

    def __init__(
        self,
        *,
        log: Log,
        reader: Reader,
        reads: Reads,
        plane: Plane,
        settings: RoomSettings,
        limits: Mapping[str, object],
        clock: Clock,
    ) -> None:
        self._log = log
        self._reader = reader
        self._reads = reads
        self._plane = plane
        self._settings = settings
        self._limits = limits
        self._clock = clock
        self._rooms: dict[str, Room] = {}
        self._opening: dict[str, asyncio.Task[Room]] = {}
        self._empty_since: dict[str, float] = {}
        reader.lost = self._dismiss_rooms_of

    def __iter__(self) -> Iterator[Room]:
        return iter(list(self._rooms.values()))

    def __len__(self) -> int:
        return len(self._rooms)

    def join_nowait(self, handle: Handle, video_id: str, resume: Position | None) -> bool:
        """Join a viewer to a room that is open; False: use `join`."""
        room = self._rooms.get(video_id)
        if room is None or not room.opened or self._is_ahead(video_id, resume):
            return False
        room.join(handle, resume)
        return True

    async def join(self, handle: Handle, video_id: str, resume: Position | None) -> None:
        """Join a viewer, opening the room first; raises `Refused`."""
        room = await self._open(video_id)
        if resume is not None and self._is_ahead(video_id, resume):
            await self._wait_for(video_id, resume)
            room = await self._open(video_id)  # it may have closed meanwhile
        if self._rooms.get(video_id) is not room:  # lost between its opening and our waking up
            raise Refused("reads_behind")
        room.join(handle, resume)

    def housekeep(self) -> None:
        """Close rooms that have been empty for a while."""
        now = self._clock.monotonic()
        for video_id, room in list(self._rooms.items()):
            if len(room) or not room.opened:
                self._empty_since.pop(video_id, None)
            elif now - self._empty_since.setdefault(video_id, now) > LINGER_SECONDS:
                self._close(video_id)

    async def stop(self) -> None:
        """Close all rooms; the plane has no viewers any more."""
        for task in self._opening.values():
            task.cancel()
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        for video_id in list(self._rooms):
            self._close(video_id)

    async def _open(self, video_id: str) -> Room:
        room = self._rooms.get(video_id)
        if room is not None and room.opened:
            return room
        task = self._opening.get(video_id)
        if task is None:
            task = asyncio.create_task(self._open_one(video_id), name=f"open room {video_id}")
            self._opening[video_id] = task
            task.add_done_callback(lambda _: self._opening.pop(video_id, None))
        return await asyncio.shield(task)

    async def _open_one(self, video_id: str) -> Room:
        partition = await self._reader.open(self._partition_of(video_id))
        room = Room(
            video_id,
            epoch=self._log.epoch(Topic.EVENTS),
            next_offset=lambda: partition.next_offset,
            backlog=partition.backlog,
            plane=self._plane,
            settings=self._settings,
            limits=self._limits,
            clock=self._clock,
        )
        # From here on the room gathers what comes; the snapshot is what was before.
        partition.rooms[video_id] = self._rooms[video_id] = room
        try:
            snapshot, totals = await self._reads.snapshot(
                partition, video_id, end=room.boundary, limit=self._settings.snapshot
            )
        except BaseException:
            self._close(video_id)
            raise
        if self._rooms.get(video_id) is not room:
            raise Refused("reads_behind", "the partition was lost while the room was opened")
        room.open(snapshot, totals)
        return room

    def _close(self, video_id: str) -> None:
        room = self._rooms.pop(video_id, None)
        self._empty_since.pop(video_id, None)
        if room is None:  # its partition was lost first
            return
        partition = self._reader.opened(self._partition_of(video_id))
        if partition is not None:
            partition.rooms.pop(video_id, None)
        room.close()

    def _dismiss_rooms_of(self, partition: OpenPartition) -> None:
        """Send viewers away whose partition cannot be read on: they come back to a new room."""
        for video_id, room in list(partition.rooms.items()):
            room.dismiss()
            partition.rooms.pop(video_id)
            self._close(video_id)

    def _is_ahead(self, video_id: str, resume: Position | None) -> bool:
        """Tell whether a position of this log lies beyond what we have read."""
        if resume is None or resume.epoch != self._log.epoch(Topic.EVENTS):
            return False
        partition = self._reader.opened(self._partition_of(video_id))
        return partition is not None and resume.offset > partition.next_offset

    async def _wait_for(self, video_id: str, resume: Position) -> None:
        """Give our reader a moment to reach a position that another broker gave out."""
        partition: OpenPartition = await self._reader.open(self._partition_of(video_id))
        try:
            bounds = await self._log.bounds(Topic.EVENTS, partition.number)
            if resume.offset <= bounds.end:  # else nobody gave it out
                await self._reader.wait_reached(partition, resume.offset)
        except (LogError, Refused):
            return  # the room then says that it did not recover

    def _partition_of(self, video_id: str) -> int:
        return partition_of(video_id, self._log.partitions(Topic.EVENTS))
