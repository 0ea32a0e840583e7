"""A log and a store on disk, and the reading half of a broker on them."""

import asyncio
from typing import Any

from groundswell.broker.reader import Reader
from groundswell.broker.reads import Reads
from groundswell.broker.rooms import Rooms
from groundswell.cache import MemoryCache
from groundswell.contract.events import Event, LoggedEvent, TotalsRecord, decode_event, encode
from groundswell.contract.partition import partition_of
from groundswell.contract.ports.log import Appended, Topic
from groundswell.contract.ports.store import CommentsBatch, Projection
from groundswell.contract.settings import RoomSettings
from groundswell.log.sqlite_log import SqliteLog
from groundswell.persist.sqlite_store import SqliteStore
from tests.broker.harness.author import Author, FakeClock
from tests.broker.harness.memory import FakePlane

PARTITIONS = 4


class World:
    """A log and a store on disk, and the reading half of a broker on them."""

    def __init__(self, log: SqliteLog, store: SqliteStore, clock: FakeClock) -> None:
        self.log, self.store, self.clock = log, store, clock
        self.author = Author(clock)
        self.plane = FakePlane()
        self.settings = RoomSettings(display_rate=0, tick_min=0.0)
        self.make()

    def make(
        self, *, log: Any = None, store: Any = None, cache: Any = None, **settings: Any
    ) -> None:
        """Build the parts, anew with other settings or other engines."""
        if settings:
            self.settings = RoomSettings(**{"display_rate": 0, "tick_min": 0.0, **settings})
        log, store = log or self.log, store or self.store
        self.reader = Reader(log, settings=self.settings, clock=self.clock)
        self.cache = cache or MemoryCache(clock=self.clock)
        self.reads = Reads(log=log, store=store, cache=self.cache, reader=self.reader, generation=1)
        self.rooms = Rooms(
            log=log,
            reader=self.reader,
            reads=self.reads,
            plane=self.plane,
            settings=self.settings,
            limits={},
            clock=self.clock,
        )

    def partition(self, video: str = "v") -> int:
        return partition_of(video, PARTITIONS)

    async def append(self, event: Event) -> Appended:
        number = self.partition(event.video_id)
        return await self.log.append(Topic.EVENTS, number, encode(event))

    async def write(self, *texts: str, **options: Any) -> list[str]:
        """Append comments in order; returns their ids."""
        events = [self.author.comment(text, **options) for text in texts]
        await asyncio.gather(*(self.append(event) for event in events))
        return [event.comment_id for event in events]

    async def delete(self, comment_id: str, *, video: str = "v") -> None:
        await self.append(self.author.deletion(comment_id, video=video))

    async def publish(self, totals: TotalsRecord) -> None:
        number = self.partition(totals.video_id)
        await self.log.append(Topic.TOTALS, number, encode(totals), key=totals.key())

    async def persist(self, *, upto: int | None = None, video: str = "v") -> None:
        """Apply a video's partition to the store, up to an offset or to its end."""
        number = self.partition(video)
        start = await self.store.applied_offset(Projection.COMMENTS, number)
        end = (await self.log.bounds(Topic.EVENTS, number)).end if upto is None else upto
        batch = await self.log.read(Topic.EVENTS, number, start, max_records=100_000)
        events = [
            LoggedEvent(record.offset, record.append_ms, decode_event(record.value))
            for record in batch.records
            if record.value is not None and record.offset < end
        ]
        await self.store.apply(number, CommentsBatch(events), upto=end)

    async def stop(self) -> None:
        await self.rooms.stop()
        await self.reader.stop()
