"""One broker: the parts of the live path put together."""

import asyncio
import random
from collections.abc import Callable

import structlog
from aiohttp import web

from groundswell.broker import routes
from groundswell.broker.handshake import Handshake
from groundswell.broker.plane import PlaneStatistics
from groundswell.broker.planes import make_door, make_plane
from groundswell.broker.reader import Reader, ReaderStatistics
from groundswell.broker.reads import Reads
from groundswell.broker.rooms import Rooms
from groundswell.broker.session import Sessions
from groundswell.broker.viewer_counts import ViewerCounts
from groundswell.contract.clock import Clock
from groundswell.contract.ids import CommentIds
from groundswell.contract.origins import Origins
from groundswell.contract.ports.bans import Bans
from groundswell.contract.ports.cache import Cache
from groundswell.contract.ports.log import Log
from groundswell.contract.ports.store import CommentStore
from groundswell.contract.ports.uplink import Origin, Uplink
from groundswell.contract.settings import Settings

TEXT_CHARACTERS = 500  # told to pages in `welcome`; the gate holds to it
HOUSEKEEPING_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Broker:
    """Owns reader, rooms, plane and sessions of a process. `start`, `drain`, `stop` in order."""

    def __init__(
        self,
        settings: Settings,
        *,
        log: Log,
        store: CommentStore,
        cache: Cache,
        uplink: Uplink,
        control: Bans,
        ids: CommentIds,
        clock: Clock,
        process: str,
        generation: int,
        origins: Origins,
        origin_of: Callable[[web.Request], Origin],
        origin_of_peer: Callable[[str, str | None, str | None], Origin],
    ) -> None:
        auth_required = settings.auth.viewers == "required"
        self._settings = settings
        self._control = control
        self._plane = make_plane(settings.stream, clock=clock, jitter=random.random)
        self._reader = Reader(log, settings=settings.room, clock=clock)
        self._reads = Reads(
            log=log, store=store, cache=cache, reader=self._reader, generation=generation
        )
        self._rooms = Rooms(
            log=log,
            reader=self._reader,
            reads=self._reads,
            plane=self._plane,
            settings=settings.room,
            limits={
                "text": TEXT_CHARACTERS,
                "message_bytes": settings.stream.message_bytes,
                "ping_interval": settings.stream.ping_interval,
            },
            clock=clock,
        )
        self._sessions = Sessions(
            plane=self._plane,
            rooms=self._rooms,
            uplink=uplink,
            control=control,
            clock=clock,
            room_settings=settings.room,
            stream_settings=settings.stream,
            auth_required=auth_required,
            token_leeway=settings.auth.leeway,
        )
        self._handshake = Handshake(
            plane=self._plane,
            sessions=self._sessions,
            uplink=uplink,
            settings=settings.stream,
            auth_required=auth_required,
            origins=origins,
            origin_of=origin_of,
        )
        self.door = make_door(
            self._plane,
            handshake=self._handshake,
            uplink=uplink,
            origin_of_peer=origin_of_peer,
        )
        self._counts = ViewerCounts(
            cache=cache, clock=clock, process=process, rooms=lambda: self._rooms
        )
        self.routes = routes.routes(
            handshake=self._handshake,
            reads=self._reads,
            log=log,
            uplink=uplink,
            ids=ids,
            auth_required=auth_required,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._unlisten: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to read and to serve."""
        self._plane.start(self._sessions)
        self._reader.start()
        self._unlisten = self._control.listen(self._sessions.dismiss_banned)
        self._tasks = [
            asyncio.create_task(self._housekeep_forever(), name="broker housekeeping"),
            asyncio.create_task(self._counts.report_forever(), name="viewer counts"),
        ]

    async def drain(self) -> None:
        """Take no new stream, tell viewers to reconnect, finish what they sent."""
        self._handshake.draining = True
        await self._plane.drain(self._settings.server.drain_time)
        await self._sessions.finish()

    async def stop(self) -> None:
        """Let go of everything."""
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._plane.stop()
        await self._sessions.stop()
        await self._rooms.stop()
        await self._reader.stop()

    def plane_statistics(self) -> PlaneStatistics:
        """Return the plane's counters, for metrics."""
        return self._plane.statistics()

    def reader_statistics(self) -> ReaderStatistics:
        """Return what is read and remembered, for metrics."""
        return self._reader.statistics()

    async def _housekeep_forever(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            for housekeep in (self._rooms.housekeep, self._reader.housekeep):
                try:
                    housekeep()
                except Exception:  # the next round may do better; without any, memory grows
                    log.exception("housekeeping failed")
