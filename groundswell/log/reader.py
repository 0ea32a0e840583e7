"""Reading the file, in threads of its own.

Python's `sqlite3` lets go of the GIL at every row and, beside a busy event loop, waits up to the
switch interval (5 ms) to get it back. So a whole batch comes as one packed row: two concatenations
of blobs and a text of lengths.
"""

import sqlite3
from collections import deque
from pathlib import Path

from groundswell.contract.ports.log import Bounds, LogUnavailable, OffsetOutOfRange, Record
from groundswell.log.schema import (
    OFFSET_MASK,
    open_reader,
    partition_of_lane,
    rowid,
    topic_of,
)

READ_BYTES_MAX = 4 << 20  # of one batch; a single larger record comes alone

# `group_concat` keeps the bytes of a blob as they are in a UTF-8 database, zero bytes included.
_READ = """
SELECT group_concat(
         (id & :mask) || ' ' || append_ms || ' ' || ifnull(length(key), -1) || ' '
         || ifnull(length(value), -1), ' '),
       group_concat(key, ''), group_concat(value, ''),
       (SELECT first FROM lanes WHERE lane = :lane)
FROM (
    SELECT id, append_ms, key, value,
           sum(ifnull(length(key), 0) + ifnull(length(value), 0)) OVER (ORDER BY id)
             - ifnull(length(value), 0) - ifnull(length(key), 0) AS bytes_before
    FROM (SELECT * FROM records WHERE id >= :low AND id < :high ORDER BY id LIMIT :limit)
    ORDER BY id
)
WHERE bytes_before < :bytes_max
"""


class Reader:
    """Connections for reading. Its methods block: they are called in the reader threads only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: deque[sqlite3.Connection] = deque()  # append and pop are atomic
        self._closed = False

    def read(self, lane: int, offset: int, end: int, limit: int) -> tuple[list[Record], int]:
        """Return records in `offset..end` and the offset to go on at.

        Raises `OffsetOutOfRange` if retention took `offset`, `LogUnavailable`.
        """
        connection = self._take()
        try:
            # One statement is one snapshot: what retention just deleted is never read over.
            lengths, keys, values, first = connection.execute(
                _READ,
                {
                    "lane": lane,
                    "mask": OFFSET_MASK,
                    "low": rowid(lane, offset),
                    "high": rowid(lane, end),
                    "limit": limit,
                    "bytes_max": READ_BYTES_MAX,
                },
            ).fetchone()
        except sqlite3.Error as error:
            connection.close()
            raise LogUnavailable(f"reading the log failed: {error}") from error
        self._give_back(connection)
        if first is not None and offset < first:
            bounds = Bounds(first, end)
            raise OffsetOutOfRange(topic_of(lane), partition_of_lane(lane), offset, bounds)
        records, whole = _unpack(lengths, keys or b"", values or b"", limit)
        # Where the batch was cut short by a limit, what follows is not known to be a gap.
        return records, (records[-1].offset + 1 if records and not whole else end)

    def offset_at(self, lane: int, first: int, end: int, time_ms: int) -> int:
        """Return the first offset in `first..end` that was appended at or after a time, or `end`.

        Append times never decrease within a lane, so this is a binary search by rowid; gaps are
        stepped over. Raises `LogUnavailable`.
        """
        connection = self._take()
        low, high, found = first, end, end
        try:
            while low < high:
                middle = (low + high) // 2
                row = connection.execute(
                    "SELECT id, append_ms FROM records WHERE id >= ? AND id < ? "
                    "ORDER BY id LIMIT 1",
                    (rowid(lane, middle), rowid(lane, high)),
                ).fetchone()
                if row is None:
                    high = middle
                elif row[1] >= time_ms:
                    high, found = middle, row[0] & OFFSET_MASK
                else:
                    low = (row[0] & OFFSET_MASK) + 1
        except sqlite3.Error as error:
            connection.close()
            raise LogUnavailable(f"reading the log failed: {error}") from error
        self._give_back(connection)
        return found

    def close(self) -> None:
        """Close the connections; those in use are closed when they are given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return open_reader(self._path)
        except sqlite3.Error as error:
            raise LogUnavailable(f"opening the log for reading failed: {error}") from error

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)


def _unpack(
    lengths: bytes | None, keys: bytes, values: bytes, limit: int
) -> tuple[list[Record], bool]:
    """Return the records of a packed row, and whether neither limit cut it short."""
    if lengths is None:
        return [], True
    numbers = iter(map(int, lengths.split()))
    records = []
    at_key = at_value = 0
    for offset, append_ms, key_bytes, value_bytes in zip(*[numbers] * 4, strict=True):
        key = value = None
        if key_bytes >= 0:
            key = keys[at_key : at_key + key_bytes]
            at_key += key_bytes
        if value_bytes >= 0:
            value = values[at_value : at_value + value_bytes]
            at_value += value_bytes
        records.append(Record(offset, append_ms, key, value))
    return records, len(records) < limit and len(keys) + len(values) < READ_BYTES_MAX
