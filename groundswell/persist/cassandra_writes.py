"""What is written to Cassandra: rows grouped by partition, each with its record's timestamp.

Two cells with one timestamp would be decided by the greater value, so everything of one record
that is about one cell must be the same value whenever it is written. It is: rows and totals are
made from the log alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from groundswell.contract.events import EventKind, LoggedEvent
from groundswell.contract.faultpoints import reach
from groundswell.contract.ports.store import Projection, TallyBatch
from groundswell.persist.cassandra_placement import (
    first_wins_timestamp,
    int_bytes,
    is_late,
    long_bytes,
    reaction_slot,
    reactions_bucket,
    timestamp,
)
from groundswell.persist.cassandra_session import CassandraSession, Statement

_COMMENT = """INSERT INTO comments (video_id, generation, bucket, "offset", append_ms, comment_id,
    parent_id, public_json) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"""
_VIDEO_BUCKET = """INSERT INTO video_buckets (video_id, generation, bucket, first_append_ms)
    VALUES (?, ?, ?, ?) USING TIMESTAMP ?"""
_REPLY = """INSERT INTO replies (video_id, parent_id, generation, bucket, "offset", append_ms,
    comment_id, public_json) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"""
_REPLY_BUCKET = """INSERT INTO reply_buckets (video_id, parent_id, generation, bucket,
    first_append_ms) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"""
_LATE_COMMENT = """INSERT INTO late_comments (video_id, generation, bucket, comment_id, "offset",
    parent_id) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"""
_DELETE_COMMENT = """UPDATE comments USING TIMESTAMP ? SET public_json = 0x, deleted = true
    WHERE video_id = ? AND generation = ? AND bucket = ? AND "offset" = ?"""
_DELETE_REPLY = """UPDATE replies USING TIMESTAMP ? SET public_json = 0x, deleted = true
    WHERE video_id = ? AND parent_id = ? AND generation = ? AND bucket = ? AND "offset" = ?"""
_REACTION = """INSERT INTO reactions (generation, video_id, bucket, slot, comment_id, user_id, code,
    "offset") VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"""
_TOTALS = """INSERT INTO totals (generation, video_id, bucket, comment_id, counts, "offset")
    VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"""
_HEARTS = """INSERT INTO hearts (generation, video_id, source, counts, "offset")
    VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"""
_APPLIED = """INSERT INTO applied (generation, projection, partition, "offset")
    VALUES (?, ?, ?, ?) USING TIMESTAMP ?"""

TEXTS = (
    _COMMENT,
    _VIDEO_BUCKET,
    _REPLY,
    _REPLY_BUCKET,
    _LATE_COMMENT,
    _DELETE_COMMENT,
    _DELETE_REPLY,
    _REACTION,
    _TOTALS,
    _HEARTS,
    _APPLIED,
)

_BUCKETS_REMEMBERED = 20_000  # about 4 MB; a forgotten one costs a row that changes nothing
_CODE_BYTES = tuple(bytes([code]) for code in range(128))

_Key = tuple[bytes, ...]
ListedBuckets = dict[_Key, tuple[int, int]]
"""Partition key of a bucket -> first offset in it, append time of that."""
_Rows = defaultdict[_Key, list[Sequence[bytes]]]
_counts_json = msgspec.json.Encoder().encode


class Found(NamedTuple):
    """A comment that a deletion is about, and where that deletion stands in the log."""

    video_id: str
    offset: int
    parent_id: str  # "" where it is no reply
    deletion_offset: int


class Writes:
    """Makes the statements of batches. Its generators run in the sender's thread."""

    def __init__(self, session: CassandraSession, *, generation: int, bucket_shift: int) -> None:
        self._session = session
        self._generation = generation
        self._generation_bytes = int_bytes(generation)
        self._shift = bucket_shift
        # The least offset that a bucket is listed with, by this process.
        self._listed: dict[_Key, int] = {}

    def comments(self, events: Iterable[LoggedEvent], listed: ListedBuckets) -> Iterator[Statement]:
        """Rows of comments, second copies of replies, and the lists of buckets.

        `listed` is filled with the buckets, for `remember`.
        """
        comments, replies, late = _Rows(list), _Rows(list), _Rows(list)
        ours = self._generation_bytes
        for logged in events:
            offset, append_ms, event = logged.offset, logged.append_ms, logged.event
            if event.kind != EventKind.COMMENT:
                continue
            video, name = event.video_id.encode(), event.comment_id.encode()
            parent = (event.parent_id or "").encode()
            key = (video, ours, long_bytes(offset >> self._shift))
            place = long_bytes(offset)
            stamp = long_bytes(timestamp(self._generation, offset))
            append = long_bytes(append_ms)
            comments[key].append((*key, place, append, name, parent, event.public_json, stamp))
            listed.setdefault(key, (offset, append_ms))
            if parent:
                of_parent = (video, parent, *key[1:])
                row = (*of_parent, place, append, name, event.public_json, stamp)
                replies[of_parent].append(row)
                listed.setdefault(of_parent, (offset, append_ms))
            if is_late(event.comment_id, append_ms):
                of_time = (video, ours, int_bytes(reactions_bucket(event.comment_id)))
                late[of_time].append((*of_time, name, place, parent, stamp))
        yield from self._rows(_COMMENT, comments)
        yield from self._rows(_REPLY, replies)
        yield from self._rows(_LATE_COMMENT, late)
        yield from self._buckets(listed)

    def deletions(self, found: Iterable[Found]) -> Iterator[Statement]:
        """Empty what deletions found, both copies of a reply."""
        for comment in found:
            stamp = long_bytes(timestamp(self._generation, comment.deletion_offset))
            video, parent = comment.video_id.encode(), comment.parent_id.encode()
            row = (
                self._generation_bytes,
                long_bytes(comment.offset >> self._shift),
                long_bytes(comment.offset),
            )
            yield self._session.bound(_DELETE_COMMENT, (stamp, video, *row))
            if parent:
                yield self._session.bound(_DELETE_REPLY, (stamp, video, parent, *row))

    def totals(self, batch: TallyBatch) -> Iterator[Statement]:
        """Totals of comments and videos."""
        ours = self._generation_bytes
        totals, hearts = _Rows(list), _Rows(list)
        for of_comment in batch.totals:
            bucket = int_bytes(reactions_bucket(of_comment.comment_id))
            key = (ours, of_comment.video_id.encode(), bucket)
            counts, name = _counts_json(of_comment.counts), of_comment.comment_id.encode()
            totals[key].append((*key, name, counts, *self._offset(of_comment.offset)))
        for of_video in batch.hearts:
            video = (ours, of_video.video_id.encode())
            counts, source = _counts_json(of_video.counts), int_bytes(of_video.source)
            hearts[video].append((*video, source, counts, *self._offset(of_video.offset)))
        yield from self._rows(_TOTALS, totals)
        yield from self._rows(_HEARTS, hearts)

    def reactions(self, batch: TallyBatch) -> Iterator[Statement]:
        """Rows of reactions."""
        ours = self._generation_bytes
        rows = _Rows(list)
        comments: dict[tuple[str, str], tuple[bytes, bytes, bytes]] = {}
        for row in batch.rows:
            of_comment = comments.get((row.video_id, row.comment_id))
            if of_comment is None:  # many rows are about few comments
                of_comment = comments[row.video_id, row.comment_id] = (
                    row.video_id.encode(),
                    int_bytes(reactions_bucket(row.comment_id)),
                    row.comment_id.encode(),
                )
            video, bucket, name = of_comment
            key = (ours, video, bucket, int_bytes(reaction_slot(row.user_id)))
            code, user = _CODE_BYTES[row.code], row.user_id.encode()
            rows[key].append((*key, name, user, code, *self._offset(row.offset)))
        yield from self._rows(_REACTION, rows)

    def applied(self, projection: Projection, partition: int, upto: int) -> Iterator[Statement]:
        """The applied offset; an older one never replaces it."""
        row = (self._generation_bytes, projection.value.encode(), int_bytes(partition))
        yield self._session.bound(_APPLIED, (*row, *self._offset(upto)))

    def _rows(self, text: str, rows: _Rows) -> Iterator[Statement]:
        for of_partition in rows.values():
            for statement in self._session.batches(text, of_partition):
                yield statement
                reach("store.between_rows")

    def _buckets(self, listed: ListedBuckets) -> Iterator[Statement]:
        """List buckets that are not known to be listed, by their first record."""
        for key, (offset, append_ms) in listed.items():
            if self._listed.get(key, offset + 1) <= offset:
                continue
            stamp = long_bytes(first_wins_timestamp(self._generation, offset))
            text = _VIDEO_BUCKET if len(key) == 3 else _REPLY_BUCKET
            yield self._session.bound(text, (*key, long_bytes(append_ms), stamp))

    def remember(self, listed: ListedBuckets) -> None:
        """Hear that these buckets are listed in the store, so that it need not be done again."""
        if len(self._listed) > _BUCKETS_REMEMBERED:
            self._listed.clear()
        for key, (offset, _) in listed.items():
            self._listed[key] = min(offset, self._listed.get(key, offset))

    def _offset(self, offset: int) -> tuple[bytes, bytes]:
        return long_bytes(offset), long_bytes(timestamp(self._generation, offset))
