"""Pages of comments in Cassandra: which buckets are not empty, then rows of a few at once."""

from collections.abc import Sequence
from typing import NamedTuple

from groundswell.contract.ports.store import StoredComment
from groundswell.persist.cassandra_placement import int_bytes, long_bytes
from groundswell.persist.cassandra_requests import Requests
from groundswell.persist.cassandra_session import CassandraSession, Row, Statement

_BUCKETS = """SELECT bucket FROM {table} WHERE {key} AND generation = ? AND bucket >= ?
    AND bucket <= ? ORDER BY bucket {direction} LIMIT ?"""
_ROWS = """SELECT "offset", append_ms, comment_id, public_json, deleted FROM {table} WHERE {key}
    AND generation = ? AND bucket = ? AND "offset" >= ? AND "offset" < ?
    ORDER BY "offset" {direction} LIMIT ?"""

# A page of a busy video lies in one bucket or two. One of a quiet video needs many, as it may have
# one comment in each; then ever more are read at once.
_BUCKETS_AT_FIRST = 2
_BUCKETS_AT_ONCE = 16

_Key = tuple[bytes, ...]


class _Texts(NamedTuple):
    buckets: str
    rows: str


def _texts(buckets: str, rows: str, key: str, direction: str) -> _Texts:
    return _Texts(
        _BUCKETS.format(table=buckets, key=key, direction=direction),
        _ROWS.format(table=rows, key=key, direction=direction),
    )


_COMMENTS = _texts("video_buckets", "comments", "video_id = ?", "ASC")
_NEWEST = _texts("video_buckets", "comments", "video_id = ?", "DESC")
_REPLIES = _texts("reply_buckets", "replies", "video_id = ? AND parent_id = ?", "ASC")

TEXTS = (*_COMMENTS, *_NEWEST, *_REPLIES)


class Pages:
    """Reads pages of one generation."""

    def __init__(
        self, session: CassandraSession, requests: Requests, *, generation: int, bucket_shift: int
    ) -> None:
        self._session = session
        self._requests = requests
        self._generation_bytes = int_bytes(generation)
        self._shift = bucket_shift

    async def comments(
        self, video_id: str, *, start: int, end: int, limit: int, newest: bool
    ) -> list[StoredComment]:
        """Return a video's comments with `start <= offset < end`, ascending."""
        key = (video_id.encode(), self._generation_bytes)
        texts = _NEWEST if newest else _COMMENTS
        found = await self._page(texts, key, start=start, end=end, limit=limit, newest=newest)
        return found[::-1] if newest else found

    async def replies(
        self, video_id: str, parent_id: str, *, start: int, end: int, limit: int
    ) -> list[StoredComment]:
        """Return the replies to one comment, ascending."""
        key = (video_id.encode(), parent_id.encode(), self._generation_bytes)
        return await self._page(_REPLIES, key, start=start, end=end, limit=limit, newest=False)

    async def _page(
        self,
        texts: _Texts,
        key: _Key,
        *,
        start: int,
        end: int,
        limit: int,
        newest: bool,
    ) -> list[StoredComment]:
        """Walk over the buckets, more at a time the less was found; newest: backwards."""
        found: list[StoredComment] = []
        first, last = start >> self._shift, (end - 1) >> self._shift
        at_once = _BUCKETS_AT_FIRST
        while first <= last and len(found) < limit:
            asked = (*key, long_bytes(first), long_bytes(last), int_bytes(at_once))
            (rows,) = await self._requests.run([self._session.page(texts.buckets, asked)])
            buckets = [bucket for (bucket,) in rows]
            found += await self._rows(
                texts, key, buckets, start=start, end=end, limit=limit, missing=limit - len(found)
            )
            if len(buckets) < at_once:
                break
            if newest:
                last = buckets[-1] - 1
            else:
                first = buckets[-1] + 1
            at_once = min(2 * at_once, _BUCKETS_AT_ONCE)
        return found[:limit]

    async def _rows(
        self,
        texts: _Texts,
        key: _Key,
        buckets: Sequence[int],
        *,
        start: int,
        end: int,
        limit: int,
        missing: int,
    ) -> list[StoredComment]:
        """Return the comments of these buckets, at least `missing` if they have so many."""

        def read(bucket: int, start: int, end: int) -> Statement:
            bounds = (long_bytes(bucket), long_bytes(start), long_bytes(end), int_bytes(limit))
            return self._session.page(texts.rows, (*key, *bounds))

        found: list[StoredComment] = []
        answers = await self._requests.run(read(bucket, start, end) for bucket in buckets)
        for bucket, rows in zip(buckets, answers, strict=True):
            found += _present(rows)
            low, high = start, end
            while len(rows) == limit and len(found) < missing:  # deleted ones took places
                if texts is _NEWEST:
                    high = rows[-1][0]
                else:
                    low = rows[-1][0] + 1
                (rows,) = await self._requests.run([read(bucket, low, high)])
                found += _present(rows)
        return found


def _present(rows: Sequence[Row]) -> list[StoredComment]:
    return [StoredComment(*row[:4]) for row in rows if not row[4]]
