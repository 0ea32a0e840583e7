"""What `control` says, in memory: read to its end before the process is ready, then followed."""

import asyncio
import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from groundswell.contract.clock import Clock
from groundswell.contract.control import EVERY_VIDEO, Ban, ban_subject, decode_control
from groundswell.contract.events import UnreadableRecord
from groundswell.contract.ports.bans import BanListener
from groundswell.contract.ports.log import (
    Log,
    LogError,
    OffsetOutOfRange,
    Record,
    Tail,
    Topic,
)
from groundswell.contract.statistics import Count

PARTITION: Final = 0  # `control` has no other
RETRY_SECONDS = 0.5
SPARE_ENDS: Final = 1000  # ends of bans that were lifted or replaced, kept beyond one for each

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ControlStatistics:
    """What is kept and what was read."""

    bans: int
    records: Count
    unreadable: Count
    failures: Count  # attempts to follow the log that failed


class Control:
    """Implements `Bans`. `start`, then `close`; belongs to one event loop.

    While the log is away what is known stays in force. A ban costs about 0.5 KB until it has run
    out; how many may be written is the writers' affair (`ingest/bans.py`).
    """

    def __init__(self, log: Log, *, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._bans: dict[str, dict[str, Ban]] = {}  # video -> user -> ban; nothing is empty
        self._known = 0
        self._ends: list[tuple[int, str, str]] = []  # a heap of (until_ms, video, user)
        self._listeners: list[BanListener] = []
        self._records = 0
        self._unreadable = 0
        self._failures = 0
        self._away = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read to the end as of now, then follow.

        Raises `LogError`; after `LogUnavailable` it may be tried again on the same object.
        """
        offset = await self._replay()
        self._task = asyncio.create_task(self._follow(offset), name="control")

    async def close(self) -> None:
        """Stop following. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def __len__(self) -> int:
        return self._known

    def banned(self, user_id: str, video_id: str) -> Ban | None:
        """Return the ban that keeps a user from a video now; see `Bans`."""
        return self._holding(video_id, user_id) or self._holding(EVERY_VIDEO, user_id)

    def bans_of(self, video_id: str, *, after: str = "", limit: int = 100) -> Sequence[Ban]:
        """Return bans that hold on exactly this video, by user id; see `Bans`."""
        now = self._clock.wall_ms()
        bans = self._bans.get(video_id, {})
        users = (user for user, ban in bans.items() if user > after and ban.holds(now))
        return [bans[user] for user in heapq.nsmallest(limit, users)]

    def listen(self, listener: BanListener) -> Callable[[], None]:
        """Be told of new bans from now on; see `Bans`."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def statistics(self) -> ControlStatistics:
        """Return the figures, for metrics."""
        return ControlStatistics(
            bans=self._known,
            records=self._records,
            unreadable=self._unreadable,
            failures=self._failures,
        )

    # Reading

    async def _replay(self) -> int:
        """Apply everything up to the present end; returns where to go on."""
        offset, end = await self._log.bounds(Topic.CONTROL, PARTITION)
        while offset < end:
            try:
                batch = await self._log.read(Topic.CONTROL, PARTITION, offset)
            except OffsetOutOfRange as error:  # removed since we asked for the bounds
                offset, end = error.bounds
                continue
            self._apply(batch.records)
            offset = batch.end
        return offset

    async def _follow(self, offset: int) -> None:
        tail = self._log.tail()
        tail.follow(Topic.CONTROL, PARTITION, offset)
        try:
            while True:
                await self._follow_once(tail)
                # A tail that has everything in memory never waits: let others have their turn.
                await asyncio.sleep(0)
        finally:
            await tail.close()

    async def _follow_once(self, tail: Tail) -> None:
        try:
            for batch in await tail.next_batches():
                self._apply(batch.records)
            self._away = False
            return
        except OffsetOutOfRange as error:
            log.error("control was cut or made anew: reading all of it", error=str(error))
            tail.follow(Topic.CONTROL, PARTITION, error.bounds.first)
        except LogError as error:
            if not self._away:  # once, however long it lasts
                log.warning("control cannot be read: known bans stay in force", error=str(error))
            self._away = True
        except Exception:  # a log that fails in ways of its own is tried again, too
            log.exception("control cannot be read")
        self._failures += 1
        await asyncio.sleep(RETRY_SECONDS)

    def _apply(self, records: Iterable[Record]) -> None:
        now = self._clock.wall_ms()
        banned: set[str] = set()
        for record in records:
            self._records += 1
            if record.value is None:
                self._lift(record.key)
            elif (ban := self._ban_in(record.value, record.offset)) and self._keep(ban, now):
                banned.add(ban.user_id)
        self._forget_ended(now)
        if banned:
            self._tell(banned)

    def _ban_in(self, value: bytes, offset: int) -> Ban | None:
        try:
            decoded = decode_control(value)
        except UnreadableRecord as error:
            self._unreadable += 1
            log.error("control record skipped", offset=offset, error=str(error))
            return None
        return decoded if isinstance(decoded, Ban) else None  # bindings are the log's affair

    def _tell(self, users: set[str]) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(users)
            except Exception:  # the other listeners, and the next bans, must not suffer from it
                log.exception("listener for bans failed")

    # Keeping

    def _holding(self, video_id: str, user_id: str) -> Ban | None:
        bans = self._bans.get(video_id)
        if bans is None or (ban := bans.get(user_id)) is None:
            return None
        return ban if ban.holds(self._clock.wall_ms()) else None

    def _keep(self, ban: Ban, now_ms: int) -> bool:
        """Put a ban in the place of its subject's last one; False: nothing new is in force."""
        known = self._bans.get(ban.video_id, {}).get(ban.user_id)
        if not ban.holds(now_ms):
            self._drop(ban.video_id, ban.user_id)
            return False
        self._bans.setdefault(ban.video_id, {})[ban.user_id] = ban
        self._known += known is None
        if ban.until_ms is not None and ban != known:
            heapq.heappush(self._ends, (ban.until_ms, ban.video_id, ban.user_id))
        return ban != known

    def _lift(self, key: bytes | None) -> None:
        subject = ban_subject(key or b"")
        if subject is not None:
            self._drop(*subject)

    def _drop(self, video_id: str, user_id: str) -> None:
        bans = self._bans.get(video_id)
        if bans is None or bans.pop(user_id, None) is None:
            return
        self._known -= 1
        if not bans:
            del self._bans[video_id]

    def _forget_ended(self, now_ms: int) -> None:
        """Let go of what has run out; what asks in between looks at the time itself."""
        while self._ends and self._ends[0][0] <= now_ms:
            _, video_id, user_id = heapq.heappop(self._ends)
            ban = self._bans.get(video_id, {}).get(user_id)
            if ban is not None and not ban.holds(now_ms):  # else a later one took its place
                self._drop(video_id, user_id)
        if len(self._ends) > 2 * self._known + SPARE_ENDS:
            self._ends = [
                (ban.until_ms, ban.video_id, ban.user_id)
                for bans in self._bans.values()
                for ban in bans.values()
                if ban.until_ms is not None
            ]
            heapq.heapify(self._ends)
