"""How many viewers a video has in all processes: each reports its own, all read the sum."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from groundswell.broker.room import Room
from groundswell.contract.clock import Clock
from groundswell.contract.ports.cache import Cache, CacheUnavailable

REPORT_SECONDS = 5.0
CHANGED_SECONDS = 1.0  # a room whose own count changed reports sooner

log = structlog.get_logger(__name__)


class ViewerCounts:
    """Reports for the rooms of one process; without the cache the count is not known."""

    def __init__(
        self, *, cache: Cache, clock: Clock, process: str, rooms: Callable[[], Iterable[Room]]
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._process = process
        self._rooms = rooms
        self._reported: dict[str, tuple[int, float]] = {}  # video -> (own viewers, when)

    async def report_forever(self) -> None:
        """Report and read in turns; cancel to stop."""
        while True:
            try:
                await self.report()
            except Exception:  # whatever it is: viewers are counted again in a second
                log.exception("viewers were not counted")
            await asyncio.sleep(CHANGED_SECONDS)

    async def report(self) -> None:
        """Report the rooms that are due, and tell them the sum."""
        now = self._clock.monotonic()
        rooms = {room.video_id: room for room in self._rooms()}
        for video_id, room in rooms.items():
            viewers, at = self._reported.get(video_id, (-1, float("-inf")))
            if len(room) == viewers and now - at < REPORT_SECONDS:
                continue
            self._reported[video_id] = (len(room), now)
            try:
                await self._cache.report_viewers(video_id, self._process, len(room))
                room.set_viewers(await self._cache.viewers(video_id))
            except CacheUnavailable:
                room.set_viewers(None)
        for video_id in self._reported.keys() - rooms.keys():
            del self._reported[video_id]
