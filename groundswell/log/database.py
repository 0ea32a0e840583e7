"""The log's file as its writer sees it: transactions, and what must be known between them.

Everything here blocks and is called by the writer thread only.
"""

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from groundswell.contract import faultpoints
from groundswell.contract.clock import Clock
from groundswell.contract.ports.log import COMPACTED, Record, Topic
from groundswell.log import schema, upkeep
from groundswell.log.requests import Append
from groundswell.log.upkeep import LaneEnd, Slice

BATCH_RECORDS_MAX = 512
_PROBE_BYTES = 64 * 1024  # so much space must be there before a full log counts as writable


def _insert(verb: str, table: str, columns: int) -> dict[int, str]:
    """Return statements that insert up to so many rows at once, by powers of two.

    `sqlite3` lets go of the GIL at every step, so a row a step would give a busy event loop its
    turn between any two rows. Rows that a batch does not fill are NULL.
    """
    row = f"({', '.join('?' * columns)})"
    return {
        size: f"{verb} INTO {table} SELECT * FROM "  # noqa: S608  # our own names
        f"(VALUES {', '.join([row] * size)}) "
        "WHERE column1 IS NOT NULL"
        for size in (1 << n for n in range(BATCH_RECORDS_MAX.bit_length()))
    }


_INSERT_RECORDS = _insert("INSERT", "records", 4)
_INSERT_COMMITS = _insert("REPLACE", "commits", 3)

Keep = Collection[tuple[str, Topic]]
"""(group, topic): what this group has not committed is not deleted from this topic."""


class Written(NamedTuple):
    """A batch that is durable: each record in the order of the inserts, and by lane."""

    records: list[Record]
    by_lane: dict[int, list[Record]]


class CommitFailed(Exception):
    """COMMIT itself failed; `__cause__` says how."""


class Database:
    """An open log, with its ends and commits in memory."""

    def __init__(self, path: Path, *, clock: Clock, partitions: int, max_bytes: int | None) -> None:
        self._clock = clock
        self._connection = schema.open_writer(path, partitions=partitions, max_bytes=max_bytes)
        try:
            # After a failed fsync the kernel may hold pages as clean that never reached the disk.
            # This writes all that counts as committed into the file itself and syncs that; what
            # was in doubt is dropped or kept for good here, before anything new is acknowledged.
            self.checkpoint("TRUNCATE")
            self.epochs = schema.epochs(self._connection)
            self.lanes = {lane: self._lane_end(lane) for lane in schema.all_lanes(partitions)}
            self.commits: dict[tuple[str, int], int] = {
                (group, lane): offset
                for group, lane, offset in self._connection.execute("SELECT * FROM commits")
            }
        except BaseException:
            self._connection.close()
            raise
        self._last_ms = max(lane.last_ms for lane in self.lanes.values())

    def write(self, inserts: list[Append], commits: dict[tuple[str, int], int]) -> Written:
        """Append records and save groups' commits in one transaction, durable on return.

        Raises `CommitFailed` where it is open whether it happened, else the error of SQLite, and
        then nothing was appended.
        """
        # One time for the batch, never before an earlier one: the wall clock may step back.
        now = max(self._clock.wall_ms(), self._last_ms)
        ends: dict[int, int] = {}
        by_lane: dict[int, list[Record]] = {}
        records: list[Record] = []
        parameters: list[object] = []
        for _, lane, key, value in inserts:
            offset = ends.get(lane)
            if offset is None:
                offset = self.lanes[lane].end
                by_lane[lane] = []
            ends[lane] = offset + 1
            record = Record(offset, now, key, value)
            records.append(record)
            by_lane[lane].append(record)
            parameters += (lane << schema.OFFSET_BITS | offset, now, key, value)
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            if inserts:
                size = 1 << (len(inserts) - 1).bit_length()
                parameters += [None] * (4 * (size - len(inserts)))
                connection.execute(_INSERT_RECORDS[size], parameters)
            self._save(commits)
            faultpoints.reach("log.before_commit")
        except BaseException:
            self.roll_back()
            raise
        try:
            connection.execute("COMMIT")
            faultpoints.reach("log.after_commit")
        except Exception as error:
            self.roll_back()
            raise CommitFailed from error
        for lane, end in ends.items():
            self.lanes[lane] = LaneEnd(self.lanes[lane].first, end, now)
        self._last_ms = now
        self.commits.update(commits)
        return Written(records, by_lane)

    def compaction(self, *, tombstone_ms: int) -> Iterator[Slice]:
        """Compact the compacted topics, a slice a step."""
        before = self._clock.wall_ms() - tombstone_ms
        for lane in self.lanes:
            if schema.topic_of(lane) in COMPACTED:
                at = self.lanes[lane]
                yield from upkeep.compact(self._connection, lane, at, tombstones_before=before)

    def retention(self, *, retention_ms: int, keep_for: Keep) -> Iterator[Slice]:
        """Delete what is too old from the other topics, a slice a step."""
        before = self._clock.wall_ms() - retention_ms
        for lane in self.lanes:
            topic = schema.topic_of(lane)
            if topic in COMPACTED:
                continue
            done = [self.commits.get((group, lane), 0) for group, kept in keep_for if kept is topic]
            at = self.lanes[lane]
            for piece in upkeep.expire(
                self._connection,
                lane,
                at,
                before_ms=before,
                before_offset=min([at.end, *done]),
            ):
                if piece.first is not None:
                    self.lanes[lane] = self.lanes[lane]._replace(first=piece.first)
                yield piece

    def checkpoint(self, mode: str) -> None:
        """Move what is in the write-ahead log into the file; PASSIVE waits for no reader."""
        (busy, *_) = self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        if busy and mode != "PASSIVE":
            raise sqlite3.OperationalError("the checkpoint waited too long for a reader")

    def probe(self) -> None:
        """Write a little and take it back, to learn whether there is space again."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('probe', zeroblob(?))", (_PROBE_BYTES,)
            )
            self._connection.execute("COMMIT")
            self._connection.execute("DELETE FROM meta WHERE name = 'probe'")
        except BaseException:
            self.roll_back()
            raise

    def _save(self, commits: dict[tuple[str, int], int]) -> None:
        rows: list[tuple[str | None, int | None, int | None]] = [
            (group, lane, offset) for (group, lane), offset in commits.items()
        ]
        for start in range(0, len(rows), BATCH_RECORDS_MAX):
            chunk = rows[start : start + BATCH_RECORDS_MAX]
            size = 1 << (len(chunk) - 1).bit_length()
            chunk += [(None, None, None)] * (size - len(chunk))
            self._connection.execute(
                _INSERT_COMMITS[size], [field for row in chunk for field in row]
            )

    def roll_back(self) -> None:
        """End a failed transaction, if SQLite has not done so itself."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _lane_end(self, lane: int) -> LaneEnd:
        kept = self._connection.execute(
            "SELECT first, end, last_ms FROM lanes WHERE lane = ?", (lane,)
        ).fetchone()
        at = LaneEnd(*kept) if kept is not None else LaneEnd(0, 0, 0)
        last = self._connection.execute(
            "SELECT id, append_ms FROM records WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1",
            (schema.rowid(lane, 0), schema.rowid(lane + 1, 0)),
        ).fetchone()
        if last is None:
            return at
        end = max(at.end, (last[0] & schema.OFFSET_MASK) + 1)
        return LaneEnd(at.first, end, max(at.last_ms, last[1]))
