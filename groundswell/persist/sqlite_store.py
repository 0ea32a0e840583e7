"""The embedded comment store: one SQLite file, one thread that writes, a few that read."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

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
from groundswell.contract.statistics import Count
from groundswell.persist import reads, schema, writes
from groundswell.persist.writer import Writer

_READERS = 2  # reads of a loaded page are short; more threads would only contend for the GIL

_Asked = ParamSpec("_Asked")
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """What the store did since it was opened."""

    applied: Count  # batches
    commits: Count
    failures: Count  # transactions rolled back
    reads: Count


class SqliteStore:
    """`CommentStore` on the file `store.db`. All methods belong to one loop.

    The file remembers the log that it was made from (`log_epoch`, `generation`) and refuses any
    other. It may be thrown away: the projections make it anew from what the log still has.
    """

    def __init__(self, path: Path, *, generation: int, log_epoch: str) -> None:
        self._path = path
        self._writer = Writer(
            partial(schema.open_writer, path, generation=generation, log_epoch=log_epoch)
        )
        self._readers: ThreadPoolExecutor | None = None
        self._idle: list[sqlite3.Connection] = []  # readers' connections not in use
        self._applied: dict[tuple[Projection, int], int] = {}
        self._reads = 0

    async def start(self) -> None:
        """Open the file; raises `StoreMismatch` if it belongs to another log."""
        await self._writer.start()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        try:
            self._applied = await self._read(reads.read_applied)
        except StoreUnavailable:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what was begun, then let go. Idempotent."""
        readers, self._readers = self._readers, None
        if readers is not None:
            # Readers first: the connection that is closed last checkpoints, and only the
            # writer's may.
            await asyncio.to_thread(self._close_readers, readers)
        await self._writer.close()

    def writable(self) -> bool:
        """Whether the last attempt to write worked."""
        return self._writer.writable()

    def statistics(self) -> StoreStatistics:
        """Return counters for the metrics."""
        writer = self._writer.statistics()
        return StoreStatistics(writer.jobs, writer.commits, writer.failures, self._reads)

    async def applied_offset(self, projection: Projection, partition: int) -> int:
        """Return the next offset to apply, from memory."""
        if self._readers is None:
            raise StoreUnavailable("store is not open")
        return self._applied.get((projection, partition), 0)

    async def apply(self, partition: int, batch: CommentsBatch | TallyBatch, *, upto: int) -> None:
        """Write a batch and the applied offset in one transaction, shared by all who wait."""
        if isinstance(batch, CommentsBatch):
            projection = Projection.COMMENTS
            write = partial(writes.write_comments, batch=batch)
        else:
            projection = Projection.TALLY
            write = partial(writes.write_tally, batch=batch)

        def job(connection: sqlite3.Connection) -> None:
            write(connection)
            writes.write_applied(connection, projection, partition, upto)

        await self._writer.write(job)
        key = (projection, partition)
        self._applied[key] = max(upto, self._applied.get(key, 0))

    async def comments(
        self, video_id: str, *, start: int, end: int, limit: int, newest: bool = False
    ) -> list[StoredComment]:
        """Return up to `limit` comments with `start <= offset < end`, ascending by offset."""
        read = reads.read_newest if newest else reads.read_comments
        return await self._read(read, video_id, start, end, limit)

    async def replies(
        self, video_id: str, parent_id: str, *, start: int, end: int, limit: int
    ) -> list[StoredComment]:
        """The same for the replies to one comment."""
        return await self._read(reads.read_replies, video_id, parent_id, start, end, limit)

    async def totals(self, video_id: str, comment_ids: Sequence[str]) -> dict[str, Totals]:
        """Return the totals of those comments that have any."""
        return await self._read(reads.read_totals, video_id, comment_ids)

    async def hearts(self, video_id: str) -> list[HeartTotals]:
        """Return the hearts of a video, one entry a source partition."""
        return await self._read(reads.read_hearts, video_id)

    async def reactions(
        self, video_id: str, comment_ids: Sequence[str]
    ) -> dict[str, list[ReactionRow]]:
        """Return all rows of these comments; absent: no rows."""
        return await self._read(reads.read_reactions, video_id, comment_ids)

    async def reactions_of(
        self, video_id: str, pairs: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], int]:
        """Return the codes of these (comment, user) pairs; absent: none."""
        return await self._read(reads.read_reactions_of, video_id, pairs)

    async def _read(
        self,
        read: Callable[Concatenate[sqlite3.Connection, _Asked], _Found],
        *args: _Asked.args,
        **kwargs: _Asked.kwargs,
    ) -> _Found:
        if self._readers is None:
            raise StoreUnavailable("store is not open")
        self._reads += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._readers, lambda: self._with_connection(read, *args, **kwargs)
            )
        except sqlite3.Error as error:
            raise StoreUnavailable(f"store could not read: {error}") from error

    def _with_connection(
        self,
        read: Callable[Concatenate[sqlite3.Connection, _Asked], _Found],
        *args: _Asked.args,
        **kwargs: _Asked.kwargs,
    ) -> _Found:
        # In a reader's thread: pop and append of a list are atomic.
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = schema.open_reader(self._path)
        try:
            return read(connection, *args, **kwargs)
        finally:
            self._idle.append(connection)

    def _close_readers(self, readers: ThreadPoolExecutor) -> None:
        readers.shutdown()
        while self._idle:
            self._idle.pop().close()
