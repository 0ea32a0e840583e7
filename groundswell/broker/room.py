"""A room: a broker's memory of one video, from its log entries to frames.

What arrives is pending until the next tick. A tick comes at once when the room was idle; after
that ticks are at least `tick_min` apart, and somewhat further than a pass over the viewers took, so
that other rooms and requests have their turn. Frames grow with load by themselves.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from groundswell.broker.backlog import Backlog, Entry
from groundswell.broker.frames import Frame, PingFrame, UpdateFrame, welcome_frame
from groundswell.broker.plane import Audience, Handle, Plane
from groundswell.broker.ring import Ring
from groundswell.broker.shown import Shown
from groundswell.contract.clock import Clock
from groundswell.contract.close_codes import UNAVAILABLE
from groundswell.contract.events import EventKind, TotalsRecord
from groundswell.contract.position import Position
from groundswell.contract.settings import RoomSettings

CATCH_UP_BYTES = 64 * 1024  # a catch-up frame is cut here: one write of a usual send buffer
CACHE_SECONDS = 1.0  # a shared welcome's position is at most so old
PASS_SHARE = 1.2  # a tick is at least so many passes long: a sixth of a core is left


@dataclass(frozen=True, slots=True)
class RoomStatistics:
    """How one room stands."""

    viewers: int
    frames: int
    ring_bytes: int
    tick_seconds: float


class Room:
    """Feed it with `accept` and `accept_totals` in log order; `open` it with its snapshot."""

    def __init__(
        self,
        video_id: str,
        *,
        epoch: str,
        next_offset: Callable[[], int],
        backlog: Backlog,
        plane: Plane,
        settings: RoomSettings,
        limits: Mapping[str, object],
        clock: Clock,
    ) -> None:
        self.video_id = video_id
        self.opened = False
        self.viewers: int | None = None  # of all processes; None: not known
        self._epoch = epoch
        self._next_offset = next_offset
        self._backlog = backlog
        self._settings = settings
        self._limits = limits
        self._clock = clock
        self._ring = Ring(seconds=settings.ring_time, limit_bytes=settings.ring_bytes)
        self._ring.ping = self._make_ping
        self._audience: Audience = plane.audience(self._ring, self._passed)
        self._flushed_to = next_offset()
        self._pending: list[Entry] = []
        self._pending_viewers = False
        self._shown = Shown(now=clock.monotonic())
        self._early_totals: list[TotalsRecord] = []
        self._early_deletions: set[str] = set()
        self._tick = settings.tick_min
        self._last_flush = float("-inf")
        self._passing = False
        self._timer: asyncio.Handle | None = None
        self._timer_due = 0.0
        self._welcome: Frame | None = None  # shared by all who join until the next frame
        self._catch_ups: dict[int, list[Frame]] = {}  # by offset; shared likewise
        self._cached_at = 0.0
        self._ping: Frame | None = None

    def __len__(self) -> int:
        return len(self._audience)

    @property
    def boundary(self) -> int:
        """The offset that the frames of the ring, or the snapshot, are complete to."""
        if self.opened and not self._pending:
            self._flushed_to = self._next_offset()
        return self._flushed_to

    @property
    def position(self) -> Position:
        """The boundary as a position."""
        return Position(self._epoch, self.boundary)

    # From the log

    def accept(self, entry: Entry) -> None:
        """Take the next event of this video."""
        if not self._pending:
            self._flushed_to = entry.offset
        if entry.kind == EventKind.DELETION:
            self._redact(entry.comment_id)
        elif entry.shown:
            self._shown.announce(entry.comment_id)
        self._pending.append(entry)
        self._arm(within=0.0)

    def accept_totals(self, record: TotalsRecord) -> None:
        """Take totals of a comment or of hearts."""
        if not self.opened:
            self._early_totals.append(record)
        elif self._shown.accept(record):
            self._welcome = None
            self._arm(within=self._settings.tick_max)

    def set_viewers(self, viewers: int | None) -> None:
        """Say how many viewers the video has in all processes."""
        if viewers != self.viewers:
            self.viewers = viewers
            self._pending_viewers = viewers is not None
            self._welcome = None
            self._arm(within=self._settings.tick_max)

    # Joining

    def open(self, snapshot: Iterable[Entry], totals: Iterable[TotalsRecord]) -> None:
        """Begin to send. `snapshot`: the newest comments before the first pending event."""
        self._shown.remember(e for e in snapshot if e.comment_id not in self._early_deletions)
        for entry in self._pending:
            if entry.is_comment and entry.shown:
                self._shown.announce(entry.comment_id)
        for record in totals:
            self._shown.accept(record)
        self._shown.settle()
        for record in self._early_totals:
            self._shown.accept(record)
        self._early_totals.clear()
        self._early_deletions.clear()
        self.opened = True
        if self._pending or self._shown.waiting:
            self._arm(within=0.0)

    def join(self, handle: Handle, resume: Position | None) -> None:
        """Send a viewer its `welcome`, what it missed, and everything from now on.

        With a position that can be resumed that is everything since then, else a snapshot.
        """
        if self._clock.monotonic() - self._cached_at > CACHE_SECONDS:
            self._forget_cached()
        private = None if resume is None else self._catch_up(resume)
        if private is None:
            if self._welcome is None:
                self._welcome = self._make_welcome(
                    self.position, self._shown.newest(self._settings.snapshot), recovered=False
                )
            private = [self._welcome]
        self._audience.join(handle, self._ring.end, private)

    def dismiss(self) -> None:
        """Close all viewers; they may come back at once."""
        self._audience.dismiss(UNAVAILABLE)

    def close(self) -> None:
        """Stop; the viewers have left or were dismissed."""
        self.opened = False  # so that a pass which still runs does not arm the timer again
        self._disarm()
        self._audience.dissolve()

    def statistics(self) -> RoomStatistics:
        """Return how the room stands."""
        return RoomStatistics(
            viewers=len(self._audience),
            frames=self._ring.end,
            ring_bytes=self._ring.bytes,
            tick_seconds=self._tick,
        )

    # Resume

    def _catch_up(self, resume: Position) -> list[Frame] | None:
        """Return a welcome and the frames from a position to the ring's end.

        None: not everything since then is there, or it is older than `resume_window`.
        """
        offset = resume.offset
        if resume.epoch != self._epoch or not self._backlog.first <= offset <= self._next_offset():
            return None
        missed_at = self._backlog.append_time(offset)
        oldest = self._clock.wall_ms() - self._settings.resume_window * 1000
        if missed_at is not None and missed_at < oldest:
            return None
        if offset > self.boundary:
            self.flush()  # the position lies inside what is pending: have the boundary behind it
        frames = self._catch_ups.get(offset)
        if frames is None:
            # The welcome says the position that was asked for: a viewer that is cut again before
            # the frames came must ask for them again.
            welcome = self._make_welcome(resume, [], recovered=True)
            frames = self._catch_ups[offset] = [welcome, *self._catch_up_frames(offset)]
            for frame in frames:
                # Whoever comes back asks from where it was cut: a storm of them would have the
                # loop deflate the same comments over and over.
                frame.deflates = False
        return frames

    def _catch_up_frames(self, offset: int) -> list[Frame]:
        boundary = self.boundary
        entries = self._backlog.since(self.video_id, offset)
        while entries and entries[-1].offset >= boundary:
            entries.pop()
        frames: list[Frame] = []
        start = size = 0
        for end, entry in enumerate(entries, 1):
            size += len(entry.public_json or b"") if entry.shown else 0
            if size >= CATCH_UP_BYTES:
                position = Position(self._epoch, entry.offset + 1)
                frames.append(UpdateFrame(str(position), entries[start:end]))
                start, size = end, 0
        # Totals that changed during the cut are not known one by one: send the latest of all.
        totals = self._shown.latest_totals()
        if entries[start:] or totals or offset != boundary:
            frames.append(UpdateFrame(str(self.position), entries[start:], totals=totals))
        return frames

    def _make_ping(self) -> Frame:
        position = str(self.position)
        if self._ping is None or self._ping.position != position:
            self._ping = PingFrame(position)
        return self._ping

    def _make_welcome(self, position: Position, comments: list[bytes], *, recovered: bool) -> Frame:
        return welcome_frame(
            str(position),
            comments,
            recovered=recovered,
            viewers=self.viewers,
            limits=self._limits,
        )

    # Ticks

    def flush(self) -> None:
        """Make what is pending a frame and give it to the viewers."""
        self._disarm()
        now = self._clock.monotonic()
        pending, self._pending = self._pending, []
        totals = self._shown.take_totals()
        hearts = self._shown.take_hearts(now, least_window=self._settings.tick_max)
        viewers = self.viewers if self._pending_viewers else None
        self._pending_viewers = False
        self._last_flush = now
        if not (pending or totals or hearts or viewers is not None):
            return
        self._shown.remember(pending)
        self._forget_cached()
        self._ring.append(
            UpdateFrame(str(self.position), pending, totals=totals, hearts=hearts, viewers=viewers),
            now,
        )
        if len(self._audience):
            self._passing = True
            self._audience.publish()
        elif self._shown.waiting:
            self._arm(within=self._settings.tick_max)

    def _passed(self, seconds: float) -> None:
        settings = self._settings
        self._passing = False
        self._tick = min(max(seconds * PASS_SHARE, settings.tick_min), settings.tick_max)
        if self._pending:
            self._arm(within=0.0)
        elif self._shown.waiting or self._pending_viewers:
            self._arm(within=settings.tick_max)

    def _arm(self, *, within: float) -> None:
        """Have `flush` called at the next tick, or `within` seconds after the last frame."""
        if self._passing or not self.opened:
            return  # `_passed` and `open` arm again
        now = self._clock.monotonic()
        due = self._last_flush + max(self._tick, within)
        if self._timer is not None:
            if self._timer_due <= due:
                return
            self._disarm()
        self._timer_due = due
        loop = asyncio.get_running_loop()
        # "At once" is after the records that came together with this one.
        self._timer = (
            loop.call_soon(self.flush) if due <= now else loop.call_later(due - now, self.flush)
        )

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _redact(self, comment_id: str) -> None:
        """Take a deleted comment out of everything that may still be sent."""
        if not self.opened:
            self._early_deletions.add(comment_id)
        for entry in self._pending:
            if entry.comment_id == comment_id and entry.kind == EventKind.COMMENT:
                entry.public_json = None
        self._shown.forget(comment_id)
        self._ring.redact(comment_id)
        self._forget_cached()

    def _forget_cached(self) -> None:
        self._welcome = None
        self._catch_ups.clear()
        self._cached_at = self._clock.monotonic()
