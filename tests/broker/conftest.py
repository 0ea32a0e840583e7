"""A broker's parts on a real log and store, a clock that the test moves, and a plane of clients."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from groundswell.broker.backlog import Entry
from groundswell.broker.broker import Broker
from groundswell.broker.frames import Frame
from groundswell.broker.partition import OpenPartition
from groundswell.broker.reader import Reader
from groundswell.broker.reads import Reads
from groundswell.broker.ring import Ring
from groundswell.broker.room import Room
from groundswell.broker.rooms import Rooms
from groundswell.cache.memory import MemoryCache
from groundswell.contract.claims import Claims, Role
from groundswell.contract.close_codes import CloseCode
from groundswell.contract.events import (
    VERSION,
    Event,
    EventFlag,
    EventKind,
    LoggedEvent,
    TotalsRecord,
    decode_event,
    encode,
)
from groundswell.contract.ids import CommentIds
from groundswell.contract.origins import Origins
from groundswell.contract.partition import key_hash64, partition_of
from groundswell.contract.ports.log import Appended, Batch, Record, Topic
from groundswell.contract.ports.store import CommentsBatch, Projection
from groundswell.contract.ports.uplink import Accepted, Origin
from groundswell.contract.problems import Refused
from groundswell.contract.settings import RoomSettings, ServerSettings, Settings
from groundswell.log.sqlite_log import SqliteLog
from groundswell.persist.sqlite_store import SqliteStore
from groundswell.server.app import public_app

START_MS = 1_727_354_096_000
SECRET = b"0123456789abcdef"
EPOCH = "00000000000000ff"
PARTITIONS = 4
POLL_SECONDS = 0.002
DEADLINE_SECONDS = 20.0


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.wall = START_MS
        self.mono = 1000.0

    def wall_ms(self) -> int:
        return self.wall

    def monotonic(self) -> float:
        return self.mono

    def advance(self, seconds: float) -> None:
        self.wall += round(seconds * 1000)
        self.mono += seconds


class Client:
    """What a page would show, and every payload that it was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.position: str | None = None
        self.shown: list[str] = []  # comment ids
        self.closed: CloseCode | None = None

    def take(self, frame: Frame) -> None:
        message = json.loads(frame.payload)
        self.sent.append(message)
        if message["type"] == "welcome" and not message["recovered"]:
            self.shown = [comment["commentID"] for comment in message["comments"]]
        for comment in message.get("comments", ()) if message["type"] == "update" else ():
            assert comment["commentID"] not in self.shown, "a comment came twice"
            self.shown.append(comment["commentID"])
        for event in message.get("events", ()):
            if event["commentID"] in self.shown:
                self.shown.remove(event["commentID"])
        if "position" in message:
            self.position = message["position"]

    @property
    def updates(self) -> list[dict[str, Any]]:
        return [message for message in self.sent if message["type"] == "update"]

    @property
    def welcomes(self) -> list[dict[str, Any]]:
        return [message for message in self.sent if message["type"] == "welcome"]

    def texts(self) -> list[str]:
        """The texts of all comments that were sent, in order."""
        return [c["commentText"] for message in self.sent for c in message.get("comments", ())]


class FakeAudience:
    """Delivers ring frames to clients that do not stall; a pass ends at once unless held."""

    def __init__(self, plane: "FakePlane", ring: Ring, passed: Callable[[float], None]) -> None:
        self.plane = plane
        self.ring = ring
        self.passed = passed
        self.cursors: dict[int, int] = {}
        self.passes = 0

    def __len__(self) -> int:
        return len(self.cursors)

    def join(self, handle: int, cursor: int, private: Sequence[Frame]) -> None:
        client = self.plane.clients.get(handle)
        if client is None:
            return
        self.cursors[handle] = cursor
        for frame in itertools.islice(private, self.plane.private_frames):
            client.take(frame)

    def publish(self) -> None:
        self.passes += 1
        self.deliver()
        if not self.plane.holds_passes:
            self.passed(self.plane.pass_seconds)

    def deliver(self) -> None:
        for handle in list(self.cursors):
            while handle not in self.plane.stalled and self.cursors[handle] < self.ring.end:
                if self.cursors[handle] < self.ring.first:
                    self.plane.behind(handle)
                    break
                frame = self.ring[self.cursors[handle]]
                self.cursors[handle] += 1
                self.plane.clients[handle].take(frame)

    def dismiss(self, code: CloseCode) -> None:
        for handle in list(self.cursors):
            self.plane.close(handle, code)

    def dissolve(self) -> None:
        self.cursors.clear()


class FakePlane:
    """A `Plane` whose connections are clients in memory."""

    def __init__(self) -> None:
        self.clients: dict[int, Client] = {}
        self.audiences: list[FakeAudience] = []
        self.stalled: set[int] = set()
        self.holds_passes = False
        self.pass_seconds = 0.0
        self.private_frames: int | None = None  # so many reach a client that joins; None: all
        self.identified: dict[int, int | None] = {}
        self.notes: dict[int, str] = {}
        self.behind: Callable[[int], None] = lambda handle: None

    def connect(self, client: Client | None = None) -> int:
        handle = len(self.clients) + 1
        self.clients[handle] = client or Client()
        return handle

    def audience(self, ring: Ring, passed: Callable[[float], None]) -> FakeAudience:
        self.audiences.append(FakeAudience(self, ring, passed))
        return self.audiences[-1]

    def leave(self, handle: int) -> None:
        for audience in self.audiences:
            audience.cursors.pop(handle, None)

    def send(self, handle: int, frame: Frame) -> None:
        self.clients[handle].take(frame)

    def identify(self, handle: int, expires_s: int | None) -> None:
        self.identified[handle] = expires_s

    def close(self, handle: int, code: CloseCode, note: str = "") -> None:
        if self.clients[handle].closed is None:
            self.clients[handle].closed = code
            self.notes[handle] = note
        self.leave(handle)


class Author:
    """Makes events as the gate would."""

    def __init__(self, clock: FakeClock) -> None:
        self.ids = CommentIds(SECRET, now_ms=clock.wall_ms, process_random=7)
        self._clock = clock

    def comment(
        self,
        text: str = "hello",
        *,
        video: str = "v",
        user: str = "ada",
        ref: str | None = None,
        parent: str | None = None,
        flags: int = 0,
    ) -> Event:
        comment_id = self.ids.mint(video)
        public = {"commentID": comment_id, "userID": user, "commentText": text}
        return Event(
            version=VERSION,
            kind=EventKind.COMMENT,
            video_id=video,
            comment_id=comment_id,
            user_id=user,
            flags=flags,
            parent_id=parent,
            key_hash=key_hash64(video, user, ref or comment_id),
            time_ms=self._clock.wall,
            public_json=json.dumps(public, separators=(",", ":")).encode(),
        )

    def deletion(self, comment_id: str, *, video: str = "v") -> Event:
        public = {"type": "deleted", "commentID": comment_id}
        return Event(
            version=VERSION,
            kind=EventKind.DELETION,
            video_id=video,
            comment_id=comment_id,
            user_id="mod",
            flags=0,
            parent_id=None,
            key_hash=key_hash64(video, "mod", f"delete/{comment_id}"),
            time_ms=self._clock.wall,
            public_json=json.dumps(public, separators=(",", ":")).encode(),
        )

    @staticmethod
    def totals(comment_id: str, likes: int, *, offset: int, video: str = "v") -> TotalsRecord:
        return TotalsRecord(VERSION, video, comment_id, 0, 1, offset, (likes, 0, 0, 0, 0, 0))

    @staticmethod
    def entry(event: Event, offset: int, append_ms: int = START_MS, *, shown: bool = True) -> Entry:
        return Entry(
            offset,
            append_ms,
            event.kind,
            event.comment_id,
            event.parent_id,
            event.public_json,
            shown,
        )


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


class World:
    """A log and a store on disk, and the reading half of a broker on them."""

    def __init__(self, log: SqliteLog, store: SqliteStore, clock: FakeClock) -> None:
        self.log, self.store, self.clock = log, store, clock
        self.author = Author(clock)
        self.plane = FakePlane()
        self.settings = RoomSettings(display_rate=0, tick_min=0.0)
        self.make()

    def make(self, *, log: Any = None, store: Any = None, **settings: Any) -> None:
        """Build the parts, anew with other settings or other engines."""
        if settings:
            self.settings = RoomSettings(**{"display_rate": 0, "tick_min": 0.0, **settings})
        log, store = log or self.log, store or self.store
        self.reader = Reader(log, settings=self.settings, clock=self.clock)
        self.reads = Reads(log=log, store=store, reader=self.reader, generation=1)
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


@pytest.fixture(name="clock")
def fixture_clock() -> FakeClock:
    """A clock that the test moves."""
    return FakeClock()


@pytest.fixture(name="author")
def fixture_author(clock: FakeClock) -> Author:
    """Makes events."""
    return Author(clock)


@pytest.fixture(name="make_stage")
def fixture_make_stage() -> type[Stage]:
    """The class: partition and room in memory, for any settings."""
    return Stage


@pytest.fixture(name="stage")
async def fixture_stage() -> Stage:
    """An open room that shows everything."""
    return Stage()


@pytest.fixture(name="world")
async def fixture_world(tmp_path: Path, clock: FakeClock) -> AsyncIterator[World]:
    """Engines on disk, nothing started yet: call `world.reader.start()`."""
    log = SqliteLog(tmp_path / "log.db", clock=clock, partitions=PARTITIONS)
    await log.start()
    store = SqliteStore(tmp_path / "store.db", generation=1, log_epoch=log.epoch(Topic.EVENTS))
    await store.start()
    world = World(log, store, clock)
    yield world
    await world.stop()
    await store.close()
    await log.close()


@pytest.fixture(name="wait_until")
def fixture_wait_until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Wait for a condition, at most until the deadline."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():  # noqa: ASYNC110  any condition, not one with an event
                await asyncio.sleep(POLL_SECONDS)

    return wait


@pytest.fixture(name="privileged")
def fixture_privileged() -> int:
    """The flags of a moderator's comment."""
    return int(EventFlag.PRIVILEGED)


class Events:
    """What a plane told its owner."""

    def __init__(self) -> None:
        self.texts: list[tuple[int, bytes]] = []
        self.closes: list[tuple[int, int]] = []
        self.behinds: list[int] = []
        self.on_behind: Callable[[int], None] = lambda handle: None

    def messages(self, batch: Sequence[tuple[int, bytes]]) -> None:
        self.texts += batch

    def closed(self, batch: Sequence[tuple[int, int]]) -> None:
        self.closes += batch

    def behind(self, handle: int) -> None:
        self.behinds.append(handle)
        self.on_behind(handle)


class Wire:
    """The client's end of a connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.seen = b""  # of server-sent events

    def send(self, opcode: int, payload: bytes, *, masked: bool = True, fin: bool = True) -> None:
        """Write one frame; the mask is of zeros, so the payload travels as it is."""
        first = (0x80 if fin else 0) | opcode
        size = len(payload)
        length = bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
        head = bytes((first, length[0] | (0x80 if masked else 0))) + length[1:]
        self.writer.write(head + (bytes(4) if masked else b"") + payload)

    def say(self, message: object) -> None:
        self.send(1, message if isinstance(message, bytes) else json.dumps(message).encode())

    async def frame(self) -> tuple[int, bytes]:
        """Read one frame."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            first, size = await self.reader.readexactly(2)
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await self.reader.readexactly(8), "big")
            return first & 0x0F, await self.reader.readexactly(size)

    async def message(self) -> Any:
        """Read the next text message, over control frames."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 1:
                return json.loads(payload)

    async def close_code(self) -> tuple[int, str]:
        """Read until the close frame; answers it."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 8:
                self.send(8, payload[:2])
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    async def read_until(self, text: bytes) -> bytes:
        """Read a stream of bytes until it has this text."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while text not in self.seen:
                data = await self.reader.read(65536)
                assert data, f"ended before {text!r}: {self.seen[-200:]!r}"
                self.seen += data
        return self.seen

    def close(self) -> None:
        self.writer.close()


@pytest.fixture(name="open_wire")
async def fixture_open_wire() -> AsyncIterator[Callable[..., Awaitable[Wire]]]:
    """Connect to a port; closed at the end."""
    wires: list[Wire] = []

    async def connect(port: int, **options: Any) -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port, **options))
        wires.append(wire)
        return wire

    yield connect
    for wire in wires:
        wire.close()


@pytest.fixture(name="events")
def fixture_events() -> Events:
    """Records what a plane tells."""
    return Events()


class FakeUplink:
    """A gate that knows the tokens "ada", "bob" and "old", and answers when it is let."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.posted: list[tuple[str, str, str | None, str | None]] = []
        self.reacted: list[tuple[str, str | None]] = []
        self.failure: Exception | None = None

    def authenticate(self, token: str, video_id: str) -> Claims:
        if token == "old":
            raise Refused("token_expired")
        if token not in {"ada", "bob"}:
            raise Refused("token_invalid")
        return Claims(token, Role.VIEWER, expires_s=START_MS // 1000 + 3600)

    async def require_video(self, video_id: str) -> None:
        if video_id == "missing":
            raise Refused("no_such_video")

    async def post_comment(
        self,
        video_id: str,
        text: str,
        *,
        author: Claims,
        origin: Any,
        reply_to: str | None = None,
        ref: str | None = None,
    ) -> Accepted:
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        self.posted.append((author.user_id, text, reply_to, ref))
        return Accepted("id-1", START_MS, f"{EPOCH}:1")

    async def react(
        self, video_id: str, comment_id: str, reaction: str | None, *, user: Claims, origin: Any
    ) -> tuple[int, ...]:
        self.reacted.append((comment_id, reaction))
        return (2, 0, 1)

    async def heart(
        self, video_id: str, reaction: str, *, user: Claims, origin: Any
    ) -> tuple[int, ...]:
        self.reacted.append(("", reaction))
        return (5,)


@pytest.fixture(name="uplink")
def fixture_uplink() -> FakeUplink:
    """The gate behind a socket."""
    return FakeUplink()


class Site:
    """A whole broker behind aiohttp on a free port."""

    def __init__(self, world: World, uplink: FakeUplink, settings: Settings) -> None:
        self.world = world
        self.refuses_origins = False
        self.broker = Broker(
            settings,
            log=world.log,
            store=world.store,
            cache=MemoryCache(clock=world.clock),
            uplink=uplink,
            ids=world.author.ids,
            clock=world.clock,
            process="p1",
            generation=1,
            allows_origin=lambda request: not self.refuses_origins,
            origin_of=lambda request: Origin("192.0.2.1"),
        )

    async def start(self) -> None:
        app = public_app(self.broker.routes, settings=ServerSettings(), origins=Origins(["*"]))
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.port = self.runner.addresses[0][1]
        self.broker.start()

    async def stop(self) -> None:
        await self.broker.stop()
        await self.runner.cleanup()


@pytest.fixture(name="make_site")
async def fixture_make_site(
    world: World, uplink: FakeUplink
) -> AsyncIterator[Callable[..., Awaitable[Site]]]:
    """Start a broker with these sections of the settings."""
    sites: list[Site] = []

    async def make(**sections: Any) -> Site:
        room = RoomSettings(display_rate=0, tick_min=0.0)
        site = Site(world, uplink, Settings(**{"room": room, **sections}))
        await site.start()
        sites.append(site)
        return site

    yield make
    for site in sites:
        await site.stop()


@pytest.fixture(name="site")
async def fixture_site(make_site: Callable[..., Awaitable[Site]]) -> Site:
    """A broker that anybody may watch."""
    return await make_site()
