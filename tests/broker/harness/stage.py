"""One partition and its room in memory, without log and store."""

from typing import Any

from groundswell.broker.partition import OpenPartition
from groundswell.broker.room import Room
from groundswell.contract.events import Event, encode
from groundswell.contract.ports.log import Batch, Record, Topic
from groundswell.contract.settings import RoomSettings
from tests.broker.harness.author import Author, FakeClock
from tests.broker.harness.memory import Client, FakePlane

EPOCH = "00000000000000ff"


class Stage:
    """One partition in memory with a room for the video "v": no log, no store."""

    def __init__(self, *, opened: bool = True, first: int = 0, **settings: Any) -> None:
        self.settings = RoomSettings(**{"display_rate": 0, "tick_min": 0.0, **settings})
        self.clock = FakeClock()
        self.author = Author(self.clock)
        self.plane = FakePlane()
        self.plane.behind = lambda handle: self.room.join(handle, None)
        self.records: list[Record] = []
        self.partition = OpenPartition(
            0, start=first, first_used=first, display_rate=self.settings.display_rate
        )
        self.first = first
        self.room = Room(
            "v",
            epoch=EPOCH,
            next_offset=lambda: self.partition.next_offset,
            backlog=self.partition.backlog,
            plane=self.plane,
            settings=self.settings,
            limits={"text": 500},
            clock=self.clock,
        )
        self.partition.rooms["v"] = self.room
        if opened:
            self.room.open([], [])

    def feed(self, *events: Event) -> list[int]:
        """Have the partition read these events as one batch; returns their offsets."""
        start = self.first + len(self.records)
        records = [
            Record(start + index, self.clock.wall, None, encode(event))
            for index, event in enumerate(events)
        ]
        self.records += records
        self.partition.accept_events(Batch(Topic.EVENTS, 0, records, start + len(records)))
        return [record.offset for record in records]

    def write(self, *texts: str, **options: Any) -> list[str]:
        """Feed comments; returns their ids."""
        events = [self.author.comment(text, **options) for text in texts]
        self.feed(*events)
        return [event.comment_id for event in events]

    def new_client(self) -> Client:
        """A client that is not connected yet."""
        return Client()

    def join(self, resume: Any = None) -> Client:
        handle = self.plane.connect()
        self.room.join(handle, resume)
        return self.plane.clients[handle]
