"""What GET and `welcome` are made of: the store up to its applied offset, the log after it.

A read is complete to an offset: whatever was answered 201 before it began is in it, with the
projections stopped too. What the reader remembers is never fetched; what it does not remember
comes from the store; what neither has is read from the log. Where the cache has a video's newest
comments it stands in for the store.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

import structlog

from groundswell.broker.backlog import Entry
from groundswell.broker.partition import OpenPartition
from groundswell.broker.reader import Reader
from groundswell.broker.shown import is_newer
from groundswell.cext.frames import with_reactions
from groundswell.contract.dedup import DedupWindow
from groundswell.contract.events import (
    VERSION,
    EventKind,
    TotalsRecord,
    UnreadableRecord,
    decode_event,
)
from groundswell.contract.ids import time_ms_of
from groundswell.contract.partition import partition_of
from groundswell.contract.ports.cache import Cache, CacheUnavailable, HotPage
from groundswell.contract.ports.log import Log, LogError, Topic
from groundswell.contract.ports.store import (
    CommentStore,
    Projection,
    StoredComment,
    StoreUnavailable,
)
from groundswell.contract.problems import Refused
from groundswell.contract.reactions import NO_COUNTS, counts_json_full
from groundswell.log.rewind import rewound_offset

READ_SECONDS = 5.0  # a read that takes longer is answered 503 reads_behind
SCAN_RECORDS = 2000  # read from the log at once where the store is far behind
# A page in the cache that ends further back than this is used only where the store is away:
# the log between it and what the reader remembers costs more than the store.
PAGE_BEHIND_RECORDS = 2000

log = structlog.get_logger(__name__)


class Page(NamedTuple):
    """Public objects with reactions, ascending, complete to `offset`; `more` follow there."""

    comments: Sequence[bytes]
    offset: int
    more: bool


class Wanted(NamedTuple):
    """What a page is about: a video, or the replies to one comment; from `not_before_ms` on."""

    video_id: str
    parent_id: str | None = None
    not_before_ms: int = 0

    def matches(self, entry: Entry) -> bool:
        """Tell whether an entry of the video belongs on the page."""
        return entry.is_comment and (self.parent_id is None or entry.parent_id == self.parent_id)


class Reads:
    """Complete reads over reader, store and log. Concurrent equal reads are one."""

    def __init__(
        self, *, log: Log, store: CommentStore, cache: Cache, reader: Reader, generation: int
    ) -> None:
        self._log = log
        self._store = store
        self._cache = cache
        self._reader = reader
        self._generation = generation
        self._running: dict[object, asyncio.Task[Page]] = {}

    async def page(
        self, wanted: Wanted, *, start: Callable[[int], Awaitable[int]], limit: int
    ) -> Page:
        """Return the first `limit` comments from an offset on; `start(partition)` says which.

        Raises `Refused` (reads_behind, store_unavailable, log_unavailable).
        """
        number = partition_of(wanted.video_id, self._log.partitions(Topic.EVENTS))
        try:
            first = await start(number)
            end = (await self._log.bounds(Topic.EVENTS, number)).end
            key = (wanted, first, end, limit)
            task = self._running.get(key)
            if task is None:
                task = asyncio.create_task(self._read_in_time(number, wanted, first, end, limit))
                self._running[key] = task
                task.add_done_callback(lambda _: self._running.pop(key, None))
            return await asyncio.shield(task)
        except TimeoutError as error:
            raise Refused("reads_behind") from error
        except StoreUnavailable as error:
            raise Refused("store_unavailable") from error
        except LogError as error:
            raise Refused("log_unavailable") from error

    async def snapshot(
        self, partition: OpenPartition, video_id: str, *, end: int, limit: int
    ) -> tuple[list[Entry], list[TotalsRecord]]:
        """Return a video's newest comments before `end`, ascending, with totals and hearts.

        Without store and cache it is what the reader remembers.
        """
        try:
            older, lower = await self._newest_older(partition, video_id, end=end, limit=limit)
        except (StoreUnavailable, LogError) as error:
            log.warning("snapshot without stored comments", video=video_id, error=str(error))
            older, lower = [], 0
        # No await from here on: what is remembered now and what was fetched fit together.
        remembered = [
            entry
            for entry in partition.backlog.since(video_id, lower)
            if entry.offset < end and entry.is_comment and entry.shown
        ]
        deleted = _deleted(partition.backlog.since(video_id, 0))
        found = [e for e in older if e.comment_id not in deleted] + remembered
        found = found[max(0, len(found) - limit) :]
        totals = await self._totals(partition, video_id, [entry.comment_id for entry in found])
        hearts = await self._hearts(partition, video_id)
        return found, [*totals.values(), *hearts]

    async def _newest_older(
        self, partition: OpenPartition, video_id: str, *, end: int, limit: int
    ) -> tuple[list[Entry], int]:
        """Return comments that the reader does not remember, and where they end."""
        remembered = 0
        for entry in partition.backlog.newest(video_id):
            remembered += entry.is_comment and entry.shown and entry.offset < end
            if remembered == limit:
                return [], partition.backlog.first
        stored, lower = await self._newest_stored(partition, video_id, end=end, limit=limit)
        scanned, deleted, lower = await self._scan(partition, Wanted(video_id), lower, end)
        older = [_entry_of(comment) for comment in stored] + scanned
        return [entry for entry in older if entry.comment_id not in deleted], lower

    async def _newest_stored(
        self, partition: OpenPartition, video_id: str, *, end: int, limit: int
    ) -> tuple[Sequence[StoredComment], int]:
        """Return a video's newest comments that are cached or stored, and where those end."""
        hot = await self._hot_page(video_id, end=end)
        enough = hot is not None and (hot.first == 0 or len(hot.comments) >= limit)
        if hot is None or not enough or _gap(partition, hot.upto, end) > PAGE_BEHIND_RECORDS:
            try:
                applied = await self._store.applied_offset(Projection.COMMENTS, partition.number)
                lower = min(end, max(applied, 0))
                stored = await self._store.comments(
                    video_id, start=0, end=lower, limit=limit, newest=True
                )
            except StoreUnavailable:
                if hot is None:
                    raise
            else:
                return stored, lower
        return hot.comments, hot.upto

    async def _read_in_time(
        self, number: int, wanted: Wanted, start: int, end: int, limit: int
    ) -> Page:
        # The read itself ends then: those that nobody waits for any more must not pile up.
        async with asyncio.timeout(READ_SECONDS):
            return await self._read(number, wanted, start, end, limit)

    async def _read(self, number: int, wanted: Wanted, start: int, end: int, limit: int) -> Page:
        partition = await self._reader.open(number)
        await self._reader.wait_reached(partition, end)
        found: list[Entry] = []
        lower = upto = start
        if start < partition.backlog.first:
            found, upto, lower = await self._before_the_log(partition, wanted, start, end, limit)
        all_stored = upto >= lower
        # Also with a full page: what is deleted may be deleted in the part that is scanned.
        scanned, deleted, lower = await self._scan(partition, wanted, lower, end)
        if all_stored:
            upto = end
            found += scanned
            events = partition.backlog.since(wanted.video_id, lower)
            found += [entry for entry in events if entry.offset < end and wanted.matches(entry)]
        deleted |= _deleted(partition.backlog.since(wanted.video_id, 0))
        kept = [
            entry
            for entry in found
            if entry.comment_id not in deleted
            and time_ms_of(entry.comment_id) >= wanted.not_before_ms
        ]
        if len(kept) > limit:
            kept = kept[:limit]
            upto = kept[-1].offset + 1
        totals = await self._totals(partition, wanted.video_id, [e.comment_id for e in kept])
        return Page([_public(entry, totals) for entry in kept], upto, upto < end)

    async def _before_the_log(
        self, partition: OpenPartition, wanted: Wanted, start: int, end: int, limit: int
    ) -> tuple[list[Entry], int, int]:
        """Return cached or stored comments, where those end, and from where the log is to say."""
        hot = await self._hot_page(wanted.video_id, end=end) if wanted.parent_id is None else None
        if hot is not None and hot.first > start:
            hot = None
        if hot is None or _gap(partition, max(start, hot.upto), end) > PAGE_BEHIND_RECORDS:
            try:
                applied = await self._store.applied_offset(Projection.COMMENTS, partition.number)
                lower = max(start, min(applied, end))
                return *await self._stored(wanted, start, lower, limit), lower
            except StoreUnavailable:
                if hot is None:
                    raise
        lower = max(start, hot.upto)
        return [_entry_of(c) for c in hot.comments if c.offset >= start], lower, lower

    async def _hot_page(self, video_id: str, *, end: int) -> HotPage | None:
        """Return what the cache has of a video before `end`."""
        try:
            page = await self._cache.page(video_id)
        except CacheUnavailable:
            return None
        if page is None or page.generation != self._generation:
            return None
        if page.upto <= end:
            return page
        comments = [comment for comment in page.comments if comment.offset < end]
        return HotPage(page.generation, page.first, end, comments)

    async def _stored(
        self, wanted: Wanted, start: int, applied: int, limit: int
    ) -> tuple[list[Entry], int]:
        """Return the stored comments, or more than `limit` of them, and where those end."""
        found: list[Entry] = []
        while start < applied and len(found) <= limit:
            if wanted.parent_id is None:
                comments = await self._store.comments(
                    wanted.video_id, start=start, end=applied, limit=limit + 1
                )
            else:
                comments = await self._store.replies(
                    wanted.video_id, wanted.parent_id, start=start, end=applied, limit=limit + 1
                )
            found += [
                _entry_of(comment)
                for comment in comments
                if time_ms_of(comment.comment_id) >= wanted.not_before_ms
            ]
            start = comments[-1].offset + 1 if len(comments) > limit else applied
        return found, start

    async def _scan(
        self, partition: OpenPartition, wanted: Wanted, start: int, end: int
    ) -> tuple[list[Entry], set[str], int]:
        """Read from the log what neither store nor reader has: `start` to the reader's first.

        Returns comments, ids deleted in that range, and where the range ended.
        """
        found: list[Entry] = []
        deleted: set[str] = set()
        if start >= min(end, partition.backlog.first):
            return found, deleted, start
        number = partition.number
        offset = await rewound_offset(self._log, number, start)
        window = DedupWindow()
        # The reader forgets while we read, so its first offset moves on.
        while offset < min(end, partition.backlog.first):
            batch = await self._log.read(Topic.EVENTS, number, offset, max_records=SCAN_RECORDS)
            for record in batch.records:
                entry = _entry_of_record(record.offset, record.append_ms, record.value, window)
                if entry is None or record.offset < start or entry[0] != wanted.video_id:
                    continue
                if entry[1].kind == EventKind.DELETION:
                    deleted.add(entry[1].comment_id)
                elif wanted.matches(entry[1]):
                    found.append(entry[1])
            offset = batch.end
        # What was read beyond the end of the range is the reader's to say.
        first = max(start, min(end, partition.backlog.first))
        return [entry for entry in found if entry.offset < first], deleted, first

    async def _totals(
        self, partition: OpenPartition, video_id: str, comment_ids: Sequence[str]
    ) -> dict[str, TotalsRecord]:
        """Return the latest totals of comments: of the store or of the log, what is newer."""
        found: dict[str, TotalsRecord] = {}
        if comment_ids:
            try:
                for id_, t in (await self._store.totals(video_id, comment_ids)).items():
                    found[id_] = TotalsRecord(
                        VERSION, video_id, id_, 0, self._generation, t.offset, t.counts
                    )
            except StoreUnavailable as error:
                log.warning("page without stored totals", video=video_id, error=str(error))
        for id_, record in partition.totals_of(video_id, comment_ids).items():
            if is_newer(record, found.get(id_)):
                found[id_] = record
        return found

    async def _hearts(self, partition: OpenPartition, video_id: str) -> list[TotalsRecord]:
        """Return the hearts of a video, by source; of one source the newest comes last."""
        try:
            stored = [
                TotalsRecord(VERSION, video_id, "", h.source, self._generation, h.offset, h.counts)
                for h in await self._store.hearts(video_id)
            ]
        except StoreUnavailable:
            stored = []
        return stored + partition.hearts_of(video_id)


def _gap(partition: OpenPartition, upto: int, end: int) -> int:
    """Return how many records neither what ends at `upto` has nor the reader remembers."""
    return min(end, partition.backlog.first) - upto


def _deleted(entries: Iterable[Entry]) -> set[str]:
    return {entry.comment_id for entry in entries if entry.kind == EventKind.DELETION}


def _entry_of(comment: StoredComment) -> Entry:
    return Entry(
        offset=comment.offset,
        append_ms=comment.append_ms,
        kind=EventKind.COMMENT,
        comment_id=comment.comment_id,
        parent_id=None,
        public_json=comment.public_json,
        shown=True,
    )


def _entry_of_record(
    offset: int, append_ms: int, value: bytes | None, window: DedupWindow
) -> tuple[str, Entry] | None:
    """Return (video, entry) of a record of `events`; None: unreadable or a duplicate."""
    if value is None:
        return None
    try:
        event = decode_event(value)
    except UnreadableRecord:
        return None
    if window.is_duplicate(offset, append_ms, event.key_hash):
        return None
    return event.video_id, Entry(
        offset=offset,
        append_ms=append_ms,
        kind=event.kind,
        comment_id=event.comment_id,
        parent_id=event.parent_id,
        public_json=event.public_json,
        shown=True,
    )


def _public(entry: Entry, totals: dict[str, TotalsRecord]) -> bytes:
    record = totals.get(entry.comment_id)
    counts = NO_COUNTS if record is None else record.counts
    return with_reactions(entry.public_json or b"{}", counts_json_full(counts))
