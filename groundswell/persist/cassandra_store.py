"""The comment store on Cassandra; see docs/decisions/0008 for its tables.

Reading order: `cassandra_placement.py` (partitions and timestamps), `cassandra_schema.py`,
`cassandra_session.py` and `cassandra_requests.py` (the driver), `cassandra_writes.py`,
`cassandra_reads.py`, `cassandra_pages.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from groundswell.contract.events import EventKind
from groundswell.contract.faultpoints import reach
from groundswell.contract.ports.store import (
    CommentsBatch,
    HeartTotals,
    Projection,
    ReactionRow,
    StoredComment,
    StoreUnavailable,
    TallyBatch,
    Totals,
)
from groundswell.contract.settings import CassandraSettings
from groundswell.contract.statistics import Count
from groundswell.persist import (
    cassandra_identity,
    cassandra_pages,
    cassandra_reads,
    cassandra_writes,
)
from groundswell.persist.cassandra_identity import Identity
from groundswell.persist.cassandra_pages import Pages
from groundswell.persist.cassandra_reads import Reads
from groundswell.persist.cassandra_requests import Requests
from groundswell.persist.cassandra_session import DEFAULT, PAGES, CassandraSession
from groundswell.persist.cassandra_writes import ListedBuckets, Writes

# Statements under way. Batches: enough for the cores of a few nodes, few enough that one is
# answered long before the timeout. Reads of a page are many small ones.
_WRITES_IN_FLIGHT = 32
_READS_IN_FLIGHT = 128

_TEXTS = (
    *cassandra_identity.TEXTS,
    *cassandra_writes.TEXTS,
    *cassandra_reads.TEXTS,
    *cassandra_pages.TEXTS,
)


@dataclass(frozen=True, slots=True)
class CassandraStatistics:
    """What the store did since it was opened."""

    applied: Count  # batches
    failures: Count  # batches that were not applied
    write_statements: Count  # sent; most hold many rows
    read_statements: Count
    wakeups: Count  # of the event loop, by answers


class CassandraStore:
    """`CommentStore` on Cassandra. All methods belong to one event loop.

    Rows first, then the applied offset: after a crash between any two writes the batch comes again
    and writes the same rows with the same timestamps. `generation` and `log_epoch` are the log's.
    """

    def __init__(self, settings: CassandraSettings, *, generation: int, log_epoch: str) -> None:
        self._settings = settings
        self._identity = Identity(generation, log_epoch, settings.bucket_bits)
        self._open: _Open | None = None
        self._writable = False
        self._applied = 0
        self._failures = 0

    async def start(self) -> None:
        """Connect, and bind the keyspace to the log at the first start.

        Raises `StoreUnavailable` (call again), and `StoreMismatch` for another log's rows.
        """
        session = CassandraSession(self._settings, texts=_TEXTS)
        await session.connect()
        opened = _Open(session, self._identity)
        try:
            await cassandra_identity.bind(
                session, opened.writing, self._identity, keyspace=self._settings.keyspace
            )
        except BaseException:
            await opened.close()
            raise
        self._open = opened
        self._writable = True

    async def close(self) -> None:
        """Let go; what is under way fails. Idempotent."""
        opened, self._open = self._open, None
        self._writable = False
        if opened is not None:
            await opened.close()

    def writable(self) -> bool:
        """Whether the last attempt to write worked."""
        return self._writable

    def statistics(self) -> CassandraStatistics:
        """Return counters for the metrics."""
        every = self._open.requests if self._open is not None else ()
        return CassandraStatistics(
            self._applied,
            self._failures,
            every[0].sent if every else 0,
            sum(reading.sent for reading in every[1:]),
            sum(requests.wakeups for requests in every),
        )

    async def applied_offset(self, projection: Projection, partition: int) -> int:
        """Return the next offset to apply."""
        return await self._opened().reads.applied(projection, partition)

    async def apply(self, partition: int, batch: CommentsBatch | TallyBatch, *, upto: int) -> None:
        """Write rows, then the applied offset."""
        opened = self._opened()
        try:
            if isinstance(batch, CommentsBatch):
                projection = Projection.COMMENTS
                await _apply_comments(opened, batch)
            else:
                projection = Projection.TALLY
                await _apply_tally(opened, batch)
            reach("store.before_applied")
            await opened.writing.run(opened.writes.applied(projection, partition, upto))
        except StoreUnavailable:
            self._writable = False
            self._failures += 1
            raise
        self._writable = self._open is opened
        self._applied += 1

    async def comments(
        self, video_id: str, *, start: int, end: int, limit: int, newest: bool = False
    ) -> list[StoredComment]:
        """Return up to `limit` comments with `start <= offset < end`, ascending by offset."""
        pages = self._opened().pages
        return await pages.comments(video_id, start=start, end=end, limit=limit, newest=newest)

    async def replies(
        self, video_id: str, parent_id: str, *, start: int, end: int, limit: int
    ) -> list[StoredComment]:
        """The same for the replies to one comment."""
        pages = self._opened().pages
        return await pages.replies(video_id, parent_id, start=start, end=end, limit=limit)

    async def totals(self, video_id: str, comment_ids: Sequence[str]) -> dict[str, Totals]:
        """Return the totals of those comments that have any."""
        return await self._opened().reads.totals(video_id, comment_ids)

    async def hearts(self, video_id: str) -> list[HeartTotals]:
        """Return the hearts of a video, one entry a source partition."""
        return await self._opened().reads.hearts(video_id)

    async def reactions(
        self, video_id: str, comment_ids: Sequence[str]
    ) -> dict[str, list[ReactionRow]]:
        """Return all rows of these comments; absent: no rows."""
        return await self._opened().reads.reactions(video_id, comment_ids)

    async def reactions_of(
        self, video_id: str, pairs: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], int]:
        """Return the codes of these (comment, user) pairs; absent: none."""
        return await self._opened().reads.reactions_of(video_id, pairs)

    def _opened(self) -> "_Open":
        if self._open is None:
            raise StoreUnavailable("store is not open")
        return self._open


class _Open:
    """What there is from `start` to `close`. Each kind of request has a thread of its own, so that
    a page does not wait until a long batch is sent."""

    def __init__(self, session: CassandraSession, identity: Identity) -> None:
        generation, shift = identity.generation, identity.bucket_shift
        self._session = session
        self.writing = Requests(
            session, profile=DEFAULT, in_flight=_WRITES_IN_FLIGHT, name="writes"
        )
        reading = Requests(session, profile=DEFAULT, in_flight=_READS_IN_FLIGHT, name="reads")
        paging = Requests(session, profile=PAGES, in_flight=_READS_IN_FLIGHT, name="pages")
        self.requests = (self.writing, reading, paging)
        self.writes = Writes(session, generation=generation, bucket_shift=shift)
        self.reads = Reads(session, reading, generation=generation, bucket_shift=shift)
        self.pages = Pages(session, paging, generation=generation, bucket_shift=shift)

    async def close(self) -> None:
        """Disconnect first: then nothing that waits for an answer can hold a thread."""
        await self._session.close()
        for requests in self.requests:
            await requests.close()


async def _apply_comments(opened: _Open, batch: CommentsBatch) -> None:
    listed: ListedBuckets = {}
    await opened.writing.run(opened.writes.comments(batch.events, listed))
    opened.writes.remember(listed)
    deletions = [logged for logged in batch.events if logged.event.kind == EventKind.DELETION]
    if deletions:  # looked for when all before them is written
        reach("store.before_deletions")
        found = await opened.reads.find(deletions)
        await opened.writing.run(opened.writes.deletions(found))


async def _apply_tally(opened: _Open, batch: TallyBatch) -> None:
    # Totals first: `Reads.reactions` takes it that a comment without them has no rows.
    await opened.writing.run(opened.writes.totals(batch))
    reach("store.before_rows")
    await opened.writing.run(opened.writes.reactions(batch))
