"""What the projections and the API read from Cassandra, but for pages of comments."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from groundswell.contract.events import LoggedEvent
from groundswell.contract.ports.store import HeartTotals, Projection, ReactionRow, Totals
from groundswell.persist.cassandra_placement import (
    EARLY_MS,
    LATE_MS,
    REACTION_SLOTS,
    id_time_ms,
    int_bytes,
    long_bytes,
    reaction_slot,
    reactions_bucket,
)
from groundswell.persist.cassandra_requests import Requests
from groundswell.persist.cassandra_session import CassandraSession, Row, Statement
from groundswell.persist.cassandra_writes import Found

_APPLIED = """SELECT "offset" FROM applied WHERE generation = ? AND projection = ?
    AND partition = ?"""
_TOTALS = """SELECT comment_id, counts, "offset" FROM totals WHERE generation = ? AND video_id = ?
    AND bucket = ? AND comment_id IN ?"""
_HEARTS = """SELECT source, counts, "offset" FROM hearts WHERE generation = ? AND video_id = ?"""
_REACTIONS = """SELECT comment_id, user_id, code, "offset" FROM reactions WHERE generation = ?
    AND video_id = ? AND bucket = ? AND slot = ? AND comment_id IN ?"""
_REACTIONS_OF = """SELECT comment_id, user_id, code FROM reactions WHERE generation = ?
    AND video_id = ? AND bucket = ? AND slot = ? AND (comment_id, user_id) IN ?"""
_BUCKETS = """SELECT bucket, first_append_ms FROM video_buckets WHERE video_id = ?
    AND generation = ? AND bucket <= ?"""
# Filtered by the node that has it: one partition, of a bounded size, for a deletion only.
_BY_ID = """SELECT "offset", parent_id FROM comments WHERE video_id = ? AND generation = ?
    AND bucket = ? AND comment_id = ? AND "offset" < ? ALLOW FILTERING"""
_LATE_BY_ID = """SELECT "offset", parent_id FROM late_comments WHERE video_id = ?
    AND generation = ? AND bucket = ? AND comment_id = ? AND "offset" < ?"""

TEXTS = (_APPLIED, _TOTALS, _HEARTS, _REACTIONS, _REACTIONS_OF, _BUCKETS, _BY_ID, _LATE_BY_ID)

_NAMES_A_READ = 100  # in one IN
_counts = msgspec.json.Decoder(tuple[int, ...])


class Reads:
    """Reads of one generation. `requests` must take answers of any length."""

    def __init__(
        self, session: CassandraSession, requests: Requests, *, generation: int, bucket_shift: int
    ) -> None:
        self._session = session
        self._requests = requests
        self._generation_bytes = int_bytes(generation)
        self._shift = bucket_shift

    async def applied(self, projection: Projection, partition: int) -> int:
        """Return an applied offset, 0 at first."""
        row = (self._generation_bytes, projection.value.encode(), int_bytes(partition))
        (rows,) = await self._requests.run([self._session.bound(_APPLIED, row)])
        return rows[0][0] if rows else 0

    async def totals(self, video_id: str, comment_ids: Sequence[str]) -> dict[str, Totals]:
        """Return the totals there are."""
        rows = await self._run(
            self._session.bound(_TOTALS, (*self._key(video_id), bucket, _list(names)))
            for bucket, names in _by_bucket(comment_ids)
        )
        return {
            comment_id: Totals(video_id, comment_id, _counts.decode(counts), offset)
            for comment_id, counts, offset in rows
        }

    async def hearts(self, video_id: str) -> list[HeartTotals]:
        """Return a video's hearts by source."""
        rows = await self._run([self._session.bound(_HEARTS, self._key(video_id))])
        return [
            HeartTotals(video_id, source, _counts.decode(counts), offset)
            for source, counts, offset in rows
        ]

    async def reactions(
        self, video_id: str, comment_ids: Sequence[str]
    ) -> dict[str, list[ReactionRow]]:
        """Return all rows of these comments.

        Totals are written before rows, so a comment without them has no rows, and most that are
        asked for are new: one read spares them one of every slot.
        """
        known = await self.totals(video_id, comment_ids)
        rows = await self._run(
            self._session.bound(_REACTIONS, (*self._key(video_id), bucket, slot, _list(names)))
            for bucket, names in _by_bucket(known)
            for slot in map(int_bytes, range(REACTION_SLOTS))
        )
        found: dict[str, list[ReactionRow]] = {}
        for comment_id, user_id, code, offset in rows:
            row = ReactionRow(video_id, comment_id, user_id, code, offset)
            found.setdefault(comment_id, []).append(row)
        return found

    async def reactions_of(
        self, video_id: str, pairs: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], int]:
        """Return the codes of these (comment, user) pairs."""
        by_partition: dict[tuple[bytes, bytes], dict[bytes, None]] = defaultdict(dict)
        for comment_id, user_id in pairs:
            key = (int_bytes(reactions_bucket(comment_id)), int_bytes(reaction_slot(user_id)))
            by_partition[key][_value(comment_id.encode()) + _value(user_id.encode())] = None
        rows = await self._run(
            self._session.bound(_REACTIONS_OF, (*self._key(video_id), *key, _list(some)))
            for key, asked in by_partition.items()
            for some in _pieces(list(asked))
        )
        return {(comment_id, user_id): code for comment_id, user_id, code in rows if code}

    async def find(self, deletions: Sequence[LoggedEvent]) -> list[Found]:
        """Return the comments that deletions are about.

        A comment is in a bucket of about its id's time, or it is entered as late. So what a
        deletion reads is bounded by what a video gets in half a minute.
        """
        videos = {deletion.event.video_id: deletion.offset for deletion in deletions}
        listed = await self._requests.run(
            self._session.bound(
                _BUCKETS,
                (video_id.encode(), self._generation_bytes, long_bytes(last >> self._shift)),
            )
            for video_id, last in videos.items()
        )
        buckets = dict(zip(videos, listed, strict=True))
        asked = [
            (deletion, statement)
            for deletion in deletions
            for statement in self._searches(deletion, buckets[deletion.event.video_id])
        ]
        answers = await self._requests.run(statement for _, statement in asked)
        return [
            Found(deletion.event.video_id, offset, parent_id, deletion.offset)
            for (deletion, _), rows in zip(asked, answers, strict=True)
            for offset, parent_id in rows
        ]

    def _searches(self, deletion: LoggedEvent, buckets: Sequence[Row]) -> Iterator[Statement]:
        event = deletion.event
        video, name = event.video_id.encode(), event.comment_id.encode()
        before = long_bytes(deletion.offset)
        late_bucket = int_bytes(reactions_bucket(event.comment_id))
        yield self._session.bound(
            _LATE_BY_ID, (video, self._generation_bytes, late_bucket, name, before)
        )
        for bucket in buckets_of_time(buckets, id_time_ms(event.comment_id)):
            yield self._session.bound(
                _BY_ID, (video, self._generation_bytes, long_bytes(bucket), name, before)
            )

    def _key(self, video_id: str) -> tuple[bytes, bytes]:
        return self._generation_bytes, video_id.encode()

    async def _run(self, statements: Iterable[Statement]) -> list[Row]:
        return list(chain.from_iterable(await self._requests.run(statements)))


def buckets_of_time(buckets: Sequence[Row], time_ms: int) -> list[int]:
    """Return which of (bucket, first append time), ascending, a comment of that time can be in.

    Append times never decrease, so a bucket ends when the next one begins.
    """
    found = []
    for index, (bucket, first) in enumerate(buckets):
        if first > time_ms + LATE_MS:
            break
        if index + 1 == len(buckets) or buckets[index + 1][1] >= time_ms - EARLY_MS:
            found.append(bucket)
    return found


def _by_bucket(comment_ids: Iterable[str]) -> Iterator[tuple[bytes, list[bytes]]]:
    by_bucket: dict[int, dict[bytes, None]] = defaultdict(dict)
    for comment_id in comment_ids:
        by_bucket[reactions_bucket(comment_id)][comment_id.encode()] = None
    for bucket, names in by_bucket.items():
        for some in _pieces(list(names)):
            yield int_bytes(bucket), some


def _pieces(names: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(names), _NAMES_A_READ):
        yield names[start : start + _NAMES_A_READ]


# Values as the native protocol has them, section 6 of its specification: a list is its length and
# its values, a tuple its values.
def _list(values: Sequence[bytes]) -> bytes:
    return int_bytes(len(values)) + b"".join(map(_value, values))


def _value(value: bytes) -> bytes:
    return int_bytes(len(value)) + value
