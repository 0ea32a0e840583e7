"""An ingest role with fakes around it: a log in a list, a cache and a store in dictionaries."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from groundswell.contract.claims import Claims, Role
from groundswell.contract.control import EVERY_VIDEO, Ban, ban_key, decode_control
from groundswell.contract.events import (
    Event,
    ReactionRecord,
    decode_event,
    decode_reactions,
)
from groundswell.contract.ids import CommentIds
from groundswell.contract.origins import Origins
from groundswell.contract.ports.accounts import AccountsUnavailable, AuditEntry, Video
from groundswell.contract.ports.cache import CacheUnavailable, Change, Claim, Rate, Seed
from groundswell.contract.ports.log import Appended, Topic
from groundswell.contract.ports.store import HeartTotals, StoreUnavailable, Totals
from groundswell.contract.ports.uplink import Origin
from groundswell.contract.settings import LimitsSettings, ServerSettings
from groundswell.ingest.append import Appender
from groundswell.ingest.bodies import BodyReader
from groundswell.ingest.counts import HeartCounts, ReactionCounts
from groundswell.ingest.gate import Gate
from groundswell.ingest.keys import secret_key
from groundswell.ingest.limits import AddressHash, Limits
from groundswell.ingest.moderation import Moderation
from groundswell.ingest.packer import Packer
from groundswell.ingest.reactions import Reactions
from groundswell.ingest.routes import WriteRoutes
from groundswell.ingest.tokens import TokenVerifier
from groundswell.ingest.videos import Videos
from groundswell.server.addresses import ClientAddresses
from groundswell.server.app import public_app
from groundswell.server.shortcut import Shortcut

SECRET = b"0123456789abcdef0123456789abcdef"
START_MS = 1_727_354_096_789


class ManualClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.ms = START_MS

    def wall_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000

    def advance(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


class FakeLog:
    """Appends to lists. `failure` is raised instead; `held` makes appends wait."""

    def __init__(self) -> None:
        self.records: dict[tuple[Topic, int], list[bytes]] = {}
        self.control: list[tuple[bytes | None, bytes | None]] = []  # keys and values
        self.failure: Exception | None = None
        self.held: asyncio.Event | None = None
        self.appends = 0
        self.reached = asyncio.Event()  # set by the first append

    def partitions(self, topic: Topic) -> int:
        return 4

    def epoch(self, topic: Topic) -> str:
        return "00000000000000ff"

    async def append(
        self, topic: Topic, partition: int, value: bytes | None, *, key: bytes | None = None
    ) -> Appended:
        self.appends += 1
        self.reached.set()
        if self.held is not None:
            await self.held.wait()
        if self.failure is not None:
            raise self.failure
        if topic is Topic.CONTROL:
            self.control.append((key, value))
            return Appended(len(self.control) - 1, START_MS)
        assert value is not None
        records = self.records.setdefault((topic, partition), [])
        records.append(value)
        return Appended(len(records) - 1, START_MS)

    def events(self) -> list[Event]:
        return [
            decode_event(value)
            for (topic, _), values in self.records.items()
            if topic is Topic.EVENTS
            for value in values
        ]

    def reaction_records(self) -> list[ReactionRecord]:
        return [
            decode_reactions(value)
            for (topic, _), values in self.records.items()
            if topic is Topic.REACTIONS
            for value in values
        ]


class FakeBans:
    """Knows the bans that stand in the log at once."""

    def __init__(self, log: FakeLog, clock: ManualClock) -> None:
        self._log = log
        self._clock = clock
        self.more = 0  # bans that are only counted

    def __len__(self) -> int:
        return len(self._log.control) + self.more

    def banned(self, user_id: str, video_id: str) -> Ban | None:
        last = dict(self._log.control)
        for key in (ban_key(video_id, user_id), ban_key(EVERY_VIDEO, user_id)):
            if (value := last.get(key)) is not None:
                ban = decode_control(value)
                assert isinstance(ban, Ban)
                if ban.holds(self._clock.ms):
                    return ban
        return None

    def bans_of(self, video_id: str, *, after: str = "", limit: int = 100) -> list[Ban]:
        last = {key: value for key, value in self._log.control if key is not None}
        bans = [decode_control(value) for value in last.values() if value is not None]
        found = [
            ban
            for ban in bans
            if isinstance(ban, Ban) and ban.video_id == video_id and ban.user_id > after
        ]
        return sorted(found, key=lambda ban: ban.user_id)[:limit]


class FakeCache:
    """A cache in dictionaries; limits are plain budgets of `burst`."""

    def __init__(self) -> None:
        self.away = False
        self.taken: dict[str, int] = {}
        self.claims: dict[tuple[str, str, str], Claim] = {}
        self.counts: dict[str, list[int]] = {}
        self.codes: dict[tuple[str, str], int] = {}
        self.asked: list[int] = []  # how many changes each call of `react` brought

    def _reach(self) -> None:
        if self.away:
            raise CacheUnavailable

    async def take(self, key: str, rate: Rate) -> float:
        self._reach()
        self.taken[key] = self.taken.get(key, 0) + 1
        return 0.0 if self.taken[key] <= rate.burst else 1 / rate.per_second

    async def take_all(self, limits: Sequence[tuple[str, Rate]]) -> float:
        return max([await self.take(key, rate) for key, rate in limits])

    async def claim(
        self, video_id: str, user_id: str, key: str, *, comment_id: str, time_ms: int, digest: int
    ) -> Claim:
        self._reach()
        place = (video_id, user_id, key)
        if place in self.claims:
            return self.claims[place]
        self.claims[place] = Claim(comment_id, time_ms, digest, fresh=False, done=False)
        return Claim(comment_id, time_ms, digest, fresh=True, done=False)

    async def mark_done(self, video_id: str, user_id: str, key: str, *, offset: int) -> None:
        self._reach()
        old = self.claims[video_id, user_id, key]
        self.claims[video_id, user_id, key] = Claim(
            old.comment_id, old.time_ms, old.digest, fresh=False, done=True, offset=offset
        )

    async def react(self, changes: Sequence[Change]) -> list[tuple[int, ...] | None]:
        self._reach()
        self.asked.append(len(changes))
        return [self._react(change) for change in changes]

    def _react(self, change: Change) -> tuple[int, ...] | None:
        place = (change.comment_id, change.user_id)
        counts = self.counts.get(change.comment_id)
        if counts is None or place not in self.codes:
            return None
        if old := self.codes[place]:
            counts[old - 1] -= 1
        if change.code:
            counts[change.code - 1] += 1
        self.codes[place] = change.code
        return tuple(counts)

    async def seed(self, seeds: Sequence[Seed]) -> None:
        self._reach()
        for seed in seeds:
            known = seed.comment_id in self.counts
            self.counts.setdefault(seed.comment_id, list(seed.counts))
            for user, code in (seed.codes | (seed.earlier if known else {})).items():
                self.codes.setdefault((seed.comment_id, user), code)


class FakeStore:
    """Totals and codes as the tally would have written them."""

    def __init__(self) -> None:
        self.away = False
        self.known: dict[str, tuple[int, ...]] = {}
        self.counted_to = -1  # the offset that `known` is true at
        self.codes: dict[tuple[str, str], int] = {}
        self.heart_rows: list[HeartTotals] = []

    def _reach(self) -> None:
        if self.away:
            raise StoreUnavailable

    async def totals(self, video_id: str, comment_ids: Sequence[str]) -> dict[str, Totals]:
        self._reach()
        return {
            key: Totals(video_id, key, self.known[key], self.counted_to)
            for key in comment_ids
            if key in self.known
        }

    async def reactions_of(
        self, video_id: str, pairs: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], int]:
        self._reach()
        return {pair: self.codes[pair] for pair in pairs if pair in self.codes}

    async def hearts(self, video_id: str) -> list[HeartTotals]:
        self._reach()
        return self.heart_rows


class FakeAccounts:
    """Roles, videos and audit in plain collections."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0
        self.roles: dict[tuple[str, str], Role] = {}
        self.registered: set[str] = set()
        self.entries: list[AuditEntry] = []

    def _reach(self) -> None:
        if self.away:
            raise AccountsUnavailable

    async def video(self, video_id: str) -> Video | None:
        self.asked += 1
        self._reach()
        return Video(video_id, "", 0) if video_id in self.registered else None

    async def role_of(self, user_id: str, video_id: str) -> Role:
        self._reach()
        return self.roles.get((user_id, video_id), Role.VIEWER)

    async def append_audit(self, entry: AuditEntry) -> None:
        self._reach()
        self.entries.append(entry)


@dataclass
class World:
    """Everything around one gate, and the gate."""

    limits_settings: LimitsSettings = field(default_factory=LimitsSettings)
    registered_only: bool = False
    deadline: float = 5.0
    body_timeout: float = 15.0

    def __post_init__(self) -> None:
        self.clock, self.log, self.store = ManualClock(), FakeLog(), FakeStore()
        self.cache, self.local_cache, self.accounts = FakeCache(), FakeCache(), FakeAccounts()
        self.bans = FakeBans(self.log, self.clock)
        log: Any = self.log
        control: Any = self.bans
        store: Any = self.store
        cache: Any = self.cache
        local_cache: Any = self.local_cache
        accounts: Any = self.accounts
        self.ids = CommentIds(SECRET, now_ms=self.clock.wall_ms)
        self.tokens = TokenVerifier(
            [secret_key(SECRET, kid=None, where="test")],
            audience="groundswell",
            issuer="groundswell",
            leeway=30,
            clock=self.clock,
        )
        self.videos = Videos(accounts, registered_only=self.registered_only, clock=self.clock)
        limits = Limits(self.limits_settings, cache, fallback=local_cache)
        appender = Appender(log, clock=self.clock, deadline=self.deadline)
        self.packer = Packer(
            log=log,
            appender=appender,
            reaction_counts=ReactionCounts(cache, store),
            heart_counts=HeartCounts(store, self.clock),
            process_id="p1",
            clock=self.clock,
        )
        self._limits = limits
        self.gate = self.make_gate(log=log, cache=cache, appender=appender)
        self.moderation = Moderation(
            ids=self.ids,
            videos=self.videos,
            accounts=accounts,
            log=log,
            appender=appender,
            control=control,
            clock=self.clock,
        )

    origin = Origin("192.0.2.7", "r1")

    def make_gate(self, *, log: Any, cache: Any, appender: Appender) -> Gate:
        """A gate of this world on another log and cache."""
        control: Any = self.bans
        return Gate(
            tokens=self.tokens,
            ids=self.ids,
            videos=self.videos,
            limits=self._limits,
            addresses=AddressHash(SECRET),
            reactions=Reactions(ids=self.ids, limits=self._limits, packer=self.packer),
            log=log,
            appender=appender,
            cache=cache,
            control=control,
        )

    async def ban(self, user_id: str, video_id: str = "v1", *, seconds: int | None = None) -> Ban:
        """Have the operator ban a user."""
        return await self.moderation.ban(
            video_id,
            user_id,
            seconds=seconds,
            reason=None,
            moderator=self.claims("operator", Role.ADMIN),
            origin=self.origin,
        )

    def claims(self, user_id: str = "ada", role: Role = Role.VIEWER) -> Claims:
        return Claims(user_id, role, expires_s=START_MS // 1000 + 3600)

    def token(self, sub: str = "ada", **claims: Any) -> str:
        """Sign a token; a claim given as None is left out."""
        payload = {
            "sub": sub,
            "aud": "groundswell",
            "iss": "groundswell",
            "exp": self.clock.wall_ms() // 1000 + 3600,
            **claims,
        }
        kept = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(kept, SECRET, algorithm="HS256")

    def bearer(self, sub: str = "ada", **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(sub, **claims)}"}

    def app(self) -> web.Application:
        settings = ServerSettings()
        writes = WriteRoutes(
            self.gate,
            self.moderation,
            origin_of=ClientAddresses(()).origin,
            bodies=BodyReader(limit=settings.body_bytes, timeout=self.body_timeout),
        )
        shortcut = Shortcut("/live/", "/comments", writes.comment)
        return public_app(writes.table(), settings=settings, origins=Origins(()), shortcut=shortcut)


@pytest.fixture(name="make_world")
def fixture_make_world() -> type[World]:
    """The class, for tests that need other settings."""
    return World


@pytest.fixture(name="world")
def fixture_world() -> World:
    """A world in which everything works."""
    return World()


@pytest.fixture(name="client")
async def fixture_client(world: World) -> AsyncIterator[Any]:
    """An HTTP client of `world`, over a real socket."""
    async with TestClient(TestServer(world.app())) as client:
        yield client


@pytest.fixture(name="raw_token")
def fixture_raw_token() -> Any:
    """Write a token of any header and payload with any signature, as an attacker would."""

    def encode(part: Any) -> str:
        data = part if isinstance(part, bytes) else json.dumps(part).encode()
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    def write(header: Any, payload: Any, signature: bytes = b"") -> str:
        return ".".join((encode(header), encode(payload), encode(signature)))

    return write
