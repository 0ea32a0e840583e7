"""Compaction and retention, in slices: each a short transaction between two commits of appends.

A pass is a generator that does one slice a step, so that appends wait for a few milliseconds at
most. All of it runs in the writer thread.
"""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from groundswell.log.schema import OFFSET_MASK, rowid

SLICE_RECORDS = 1000  # about 2-5 ms

# Superseded: a later record of the lane has the same key. Slices go up the lane, so when a
# tombstone goes, what it hides has gone before it or goes with it.
_COMPACT = """
DELETE FROM records
WHERE id >= :low AND id < :high AND (
    id < (
        SELECT max(later.id) FROM records AS later
        WHERE later.key = records.key AND later.id >= :lane_low AND later.id < :lane_high
    )
    OR (value IS NULL AND append_ms <= :tombstones_before)
)
"""


class Slice(NamedTuple):
    """What a slice did: how many records went and stayed, and where the lane begins now."""

    lane: int
    deleted: int
    kept: int  # of those that compaction looked at
    first: int | None  # None: as before


class LaneEnd(NamedTuple):
    """Where a lane ends and when its last record was appended; kept when that is deleted."""

    first: int
    end: int
    last_ms: int


def compact(
    connection: sqlite3.Connection, lane: int, at: LaneEnd, *, tombstones_before: int
) -> Iterator[Slice]:
    """Keep the latest record of every key, and drop tombstones of before that time."""
    low, lane_high = rowid(lane, 0), rowid(lane, at.end)
    while low < lane_high:
        looked_at, last = connection.execute(
            "SELECT count(*), max(id) FROM "
            "(SELECT id FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)",
            (low, lane_high, SLICE_RECORDS),
        ).fetchone()
        if last is None:
            return
        high = last + 1
        connection.execute("BEGIN IMMEDIATE")
        deleted = connection.execute(
            _COMPACT,
            {
                "low": low,
                "high": high,
                "lane_low": rowid(lane, 0),
                "lane_high": lane_high,
                "tombstones_before": tombstones_before,
            },
        ).rowcount
        if deleted:
            _remember(connection, lane, at)
        connection.execute("COMMIT")
        low = high
        yield Slice(lane, deleted, looked_at - deleted, None)


def expire(
    connection: sqlite3.Connection, lane: int, at: LaneEnd, *, before_ms: int, before_offset: int
) -> Iterator[Slice]:
    """Delete the records that are older than a time and before an offset."""
    while at.first < before_offset:
        # Append times never decrease within a lane, so what is too old is a head of it.
        connection.execute("BEGIN IMMEDIATE")
        deleted = connection.execute(
            "DELETE FROM records WHERE append_ms < ? AND id IN "
            "(SELECT id FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)",
            (before_ms, rowid(lane, at.first), rowid(lane, before_offset), SLICE_RECORDS),
        ).rowcount
        if not deleted:
            connection.execute("COMMIT")
            return
        row = connection.execute(
            "SELECT id FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT 1",
            (rowid(lane, at.first), rowid(lane, at.end)),
        ).fetchone()
        at = at._replace(first=at.end if row is None else row[0] & OFFSET_MASK)
        _remember(connection, lane, at)
        connection.execute("COMMIT")
        yield Slice(lane, deleted, 0, at.first)


def _remember(connection: sqlite3.Connection, lane: int, at: LaneEnd) -> None:
    connection.execute("INSERT OR REPLACE INTO lanes VALUES (?, ?, ?, ?)", (lane, *at))
