"""`CommentIndex` in the accounts database: one set of tables on SQLite and PostgreSQL."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from groundswell.accounts import index_rows
from groundswell.accounts.index_rows import Insert, comment_rows, deletion_rows, total_rows
from groundswell.accounts.schema import applied, comments, reactions
from groundswell.accounts.sql_accounts import SqlAccounts
from groundswell.accounts.turns import Turns
from groundswell.contract.faultpoints import reach
from groundswell.contract.ports.accounts import AccountsUnavailable
from groundswell.contract.ports.index import IndexBatch, IndexedComment, IndexTotalsBatch
from groundswell.contract.ports.store import Projection, StoreUnavailable
from groundswell.contract.reactions import REACTION_TYPES

# Rows of one transaction. Embedded, all other calls wait for it.
EMBEDDED_ROWS_MAX: Final = 1000
SERVER_ROWS_MAX: Final = 8000

_KIND_INDEX: Final = {kind.name: index for index, kind in enumerate(REACTION_TYPES)}


class _Write(NamedTuple):
    partition: int
    batch: IndexBatch | IndexTotalsBatch
    upto: int | None  # None: more of the same batch follows


class SqlIndex:
    """The index of one generation of the log. See `CommentIndex` for what methods promise.

    It uses the connections of `accounts`, which are started and closed by their owner, and never
    more than one of them for writing.
    """

    def __init__(self, accounts: SqlAccounts, *, generation: int, log_epoch: str) -> None:
        self._database = accounts.database
        self._generation = generation
        self._log_epoch = log_epoch
        self._rows_max = EMBEDDED_ROWS_MAX if self._database.embedded else SERVER_ROWS_MAX
        self._turns = Turns(self._write, size_max=self._rows_max)

    async def applied_offset(self, projection: Projection, partition: int) -> int:
        """Return the next offset to apply. Raises `StoreUnavailable`."""
        found = await self._rows(
            select(applied.c.offset).where(
                applied.c.projection == projection.value,
                applied.c.generation == self._generation,
                applied.c.log_epoch == self._log_epoch,
                applied.c.partition == partition,
            )
        )
        return int(found[0].offset) if found else 0

    async def apply(
        self, partition: int, batch: IndexBatch | IndexTotalsBatch, *, upto: int
    ) -> None:
        """Write a batch, in more than one transaction if it is large; the last has the offset."""
        pieces = _pieces(batch, rows_max=self._rows_max)
        for piece in pieces[:-1]:
            await self._turns.do(_Write(partition, piece, None), size=_size(piece))
        await self._turns.do(_Write(partition, pieces[-1], upto), size=_size(pieces[-1]))

    async def comments_of_user(
        self, user_id: str, *, video_id: str | None = None, before_ms: int | None = None, limit: int
    ) -> Sequence[IndexedComment]:
        """Return a user's comments, newest first."""
        query = select(comments).where(comments.c.user_id == user_id)
        if video_id is not None:
            query = query.where(comments.c.video_id == video_id)
        if before_ms is not None:
            query = query.where(comments.c.timestamp_ms < before_ms)
        newest_first = (comments.c.timestamp_ms.desc(), comments.c.comment_id.desc())
        found = await self._rows(query.order_by(*newest_first).limit(limit))
        return [_comment(row) for row in found]

    async def comments_of_video(
        self, video_id: str, *, from_ms: int, to_ms: int, limit: int
    ) -> Sequence[IndexedComment]:
        """Return a video's comments of a time, oldest first."""
        query = select(comments).where(
            comments.c.video_id == video_id,
            comments.c.timestamp_ms >= from_ms,
            comments.c.timestamp_ms < to_ms,
        )
        oldest_first = (comments.c.timestamp_ms, comments.c.comment_id)
        found = await self._rows(query.order_by(*oldest_first).limit(limit))
        return [_comment(row) for row in found]

    async def comment(self, comment_id: str) -> IndexedComment | None:
        """Return one comment; None too where all that is known is a deletion."""
        query = select(comments).where(
            comments.c.comment_id == comment_id, comments.c.user_id.is_not(None)
        )
        found = await self._rows(query)
        return _comment(found[0]) if found else None

    async def totals_of(self, comment_ids: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Return the totals of those comments that have any."""
        found = await self._rows(select(reactions).where(reactions.c.comment_id.in_(comment_ids)))
        totals: dict[str, list[int]] = {}
        for row in found:
            index = _KIND_INDEX.get(row.reaction_type)
            if index is not None:  # else of a later program
                counts = totals.setdefault(row.comment_id, [0] * len(REACTION_TYPES))
                counts[index] = row.total
        return {comment_id: tuple(counts) for comment_id, counts in totals.items()}

    async def _write(self, writes: Sequence[_Write]) -> None:
        generation = self._generation
        events = [e for w in writes if isinstance(w.batch, IndexBatch) for e in w.batch.events]
        totals = [
            t for w in writes if isinstance(w.batch, IndexTotalsBatch) for t in w.batch.totals
        ]
        offsets: dict[tuple[Projection, int], int] = {}
        for write in writes:
            if write.upto is not None:
                key = _projection(write.batch), write.partition
                offsets[key] = max(write.upto, offsets.get(key, 0))
        async with self._transaction() as connection:
            await _run(connection, index_rows.COMMENTS, comment_rows(events, generation=generation))
            await _run(
                connection, index_rows.DELETIONS, deletion_rows(events, generation=generation)
            )
            await _run(connection, index_rows.TOTALS, total_rows(totals, generation=generation))
            reach("index.before_offset")
            await _run(
                connection,
                index_rows.APPLIED,
                [
                    (projection.value, generation, self._log_epoch, partition, offset)
                    for (projection, partition), offset in offsets.items()
                ],
            )
            reach("index.before_commit")

    async def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        async with self._transaction() as connection:
            found: Sequence[Row[Any]] = (await connection.execute(query)).all()
        return found

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._database.transaction() as connection:
                yield connection
        except AccountsUnavailable as error:
            raise StoreUnavailable(str(error)) from error


async def _run(connection: AsyncConnection, insert: Insert, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        # Sorted, so that two processes that write the same rows cannot wait for each other.
        statement, parameters = insert.bound(connection.dialect.name, sorted(rows, key=_first))
        await connection.exec_driver_sql(statement, parameters)


def _first(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[:2]


def _pieces(
    batch: IndexBatch | IndexTotalsBatch, *, rows_max: int
) -> list[IndexBatch | IndexTotalsBatch]:
    """Cut a batch into transactions; of an empty one an empty piece is left, for its offset."""
    if isinstance(batch, IndexBatch):
        events = batch.events
        starts = range(0, max(1, len(events)), rows_max)
        return [IndexBatch(events[start : start + rows_max]) for start in starts]
    at_once = rows_max // len(REACTION_TYPES)
    totals = batch.totals
    starts = range(0, max(1, len(totals)), at_once)
    return [IndexTotalsBatch(totals[start : start + at_once]) for start in starts]


def _size(batch: IndexBatch | IndexTotalsBatch) -> int:
    if isinstance(batch, IndexBatch):
        return len(batch.events)
    return len(batch.totals) * len(REACTION_TYPES)


def _projection(batch: IndexBatch | IndexTotalsBatch) -> Projection:
    return Projection.INDEX if isinstance(batch, IndexBatch) else Projection.INDEX_TOTALS


def _comment(row: Row[Any]) -> IndexedComment:
    return IndexedComment(
        row.comment_id,
        row.video_id,
        row.user_id,
        row.timestamp_ms,
        row.reply_to_comment_id,
        row.deleted,
        row.offset,
    )
