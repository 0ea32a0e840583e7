"""Hot pages: the newest comments of the videos that are written to, kept in the shared cache.

The comments projection tells what the store has; a task of its own keeps the cache up to that, so
that a slow cache never slows a lane. A page says up to where it is complete, and the cache refuses
an older one: whoever was paused and comes back late changes nothing.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import structlog

from groundswell.contract.clock import Clock
from groundswell.contract.events import EventKind, LoggedEvent
from groundswell.contract.ports.cache import Cache, CacheUnavailable, HotPage
from groundswell.contract.ports.store import CommentStore, StoredComment, StoreUnavailable

PAGE_COMMENTS: Final = 100  # twice what `welcome` shows by default
VIDEOS_MAX: Final = 1_000  # of about 50 KB; those written longest ago are forgotten
INTERVAL_S: Final = 0.1  # between two writes of a video's page
RETRY_S: Final = 1.0  # after the cache or the store was away
EVENTS_MAX: Final = 4 * PAGE_COMMENTS  # that wait; what is older than a page is not needed
TOGETHER: Final = 10  # pages that are read and written at a time

log = structlog.get_logger("groundswell.persist")


class _Video:
    """What is known of a video's newest comments: a page, and events that come after it."""

    __slots__ = ("comments", "deleted", "due", "events", "first", "partition", "upto")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.comments: dict[str, StoredComment] | None = None  # None: not read yet
        self.first = 0
        self.upto = 0
        self.events: list[LoggedEvent] = []
        self.due: float | None = None  # when the page is to be written; None: nothing to write

    def take(self, event: LoggedEvent) -> None:
        self.events.append(event)
        if len(self.events) > EVENTS_MAX:
            self.fold()

    def begin_with(self, comments: Sequence[StoredComment], *, upto: int) -> None:
        """Take what the store has before `upto`, all of it if that is less than a page."""
        self.comments = {comment.comment_id: comment for comment in comments}
        self.first = comments[0].offset if len(comments) == PAGE_COMMENTS else 0
        self.events = [event for event in self.events if event.offset >= upto]

    def fold(self) -> None:
        """Bring the page up to the events; without a page they begin one."""
        if self.comments is None:
            self.comments, self.first = {}, self.events[0].offset
        comments = self.comments
        for logged in self.events:
            event = logged.event
            if event.kind == EventKind.COMMENT:
                comments[event.comment_id] = StoredComment(
                    logged.offset, logged.append_ms, event.comment_id, event.public_json
                )
            else:
                comments.pop(event.comment_id, None)
        self.events.clear()
        for comment_id in list(comments)[: max(0, len(comments) - PAGE_COMMENTS)]:
            self.first = comments.pop(comment_id).offset + 1

    def page(self, generation: int) -> HotPage:
        return HotPage(generation, self.first, self.upto, list((self.comments or {}).values()))

    def is_worn(self) -> bool:
        """Tell whether deletions left so little that the store has a better page."""
        return self.first > 0 and len(self.comments or ()) < PAGE_COMMENTS // 2


class HotPages:
    """Writes the pages of all partitions that this process projects. Belongs to one event loop."""

    def __init__(self, cache: Cache, store: CommentStore, *, generation: int, clock: Clock) -> None:
        self._cache = cache
        self._store = store
        self._generation = generation
        self._clock = clock
        self._videos: OrderedDict[str, _Video] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._sleeps_until = float("inf")

    async def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_forever(), name="hot pages")

    async def close(self) -> None:
        """Write what is due, once, and stop. Idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task])
        for video in self._videos.values():
            if video.due is not None:
                video.due = self._clock.monotonic()
        await self._write_due()

    def begin(self, partition: int) -> None:
        """Forget a partition: it came to us, and another process may have projected it since."""
        for video_id in [v for v, video in self._videos.items() if video.partition == partition]:
            del self._videos[video_id]

    def stored(self, partition: int, events: Sequence[LoggedEvent], *, upto: int) -> None:
        """Hear that the store has these events, and every one of the partition before `upto`."""
        now = self._clock.monotonic()
        for event in events:
            video_id = event.event.video_id
            video = self._videos.get(video_id)
            if video is None:
                video = self._videos[video_id] = _Video(partition)
            video.take(event)
            video.upto = upto
            if video.due is None:
                video.due = now + INTERVAL_S
                self._videos.move_to_end(video_id)
            if event.event.kind == EventKind.DELETION:
                video.due = now  # its text is to leave the cache at once
            if video.due < self._sleeps_until:
                self._wake.set()
        while len(self._videos) > VIDEOS_MAX:
            self._videos.popitem(last=False)

    async def _write_forever(self) -> None:
        while True:
            try:
                await self._write_due()
            except Exception:  # a page that is missing costs a read of the store, and no more
                log.exception("hot pages were not written")
                await asyncio.sleep(RETRY_S)
            due = [video.due for video in self._videos.values() if video.due is not None]
            self._sleeps_until = min(due, default=float("inf"))
            self._wake.clear()
            wait = max(0.0, self._sleeps_until - self._clock.monotonic()) if due else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _write_due(self) -> None:
        now = self._clock.monotonic()
        due = [v for v, video in self._videos.items() if video.due is not None and video.due <= now]
        for start in range(0, len(due), TOGETHER):
            await asyncio.gather(*map(self._write, due[start : start + TOGETHER]))

    async def _write(self, video_id: str) -> None:
        video = self._videos.get(video_id)
        if video is None:
            return
        now = self._clock.monotonic()
        video.due = None  # whatever is stored from here on sets it again
        try:
            if video.comments is None:
                await self._read(video_id, video)
            video.fold()
            await self._cache.put_page(video_id, video.page(self._generation))
        except (CacheUnavailable, StoreUnavailable):
            video.due = now + RETRY_S
        except BaseException:
            video.due = now
            raise
        else:
            if video.is_worn():
                video.comments = None

    async def _read(self, video_id: str, video: _Video) -> None:
        upto = video.upto
        comments = await self._store.comments(
            video_id, start=0, end=upto, limit=PAGE_COMMENTS, newest=True
        )
        if video.comments is None:  # else more came meanwhile than a page needs
            video.begin_with(comments, upto=upto)
