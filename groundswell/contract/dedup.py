"""The window in which a record counts as a duplicate, decided by log order alone.

A record is a duplicate when the hash of its (video, user, idempotency key) occurs in its partition
within the previous 60 s of append time and 65,536 records, dropped ones included. Every reader
rewinds that far before it uses a record, so brokers, projections and replays all decide alike.
"""

from collections import deque

WINDOW_MS = 60_000
WINDOW_RECORDS = 65_536


class DedupWindow:
    """The window of one partition; feed it every event in log order."""

    def __init__(self, *, window_ms: int = WINDOW_MS, window_records: int = WINDOW_RECORDS) -> None:
        self._window_ms = window_ms
        self._window_records = window_records
        self._order: deque[tuple[int, int, int]] = deque()  # (offset, append_ms, key hash)
        self._last_seen: dict[int, int] = {}  # key hash -> offset of its latest record

    def __len__(self) -> int:
        return len(self._order)

    def is_duplicate(self, offset: int, append_ms: int, key_hash: int) -> bool:
        """Enter a record and tell whether an equal one stands in the window before it."""
        self._expire(offset, append_ms)
        duplicate = key_hash in self._last_seen
        self._order.append((offset, append_ms, key_hash))
        self._last_seen[key_hash] = offset
        return duplicate

    def _expire(self, offset: int, append_ms: int) -> None:
        order = self._order
        oldest_ms = append_ms - self._window_ms
        oldest_offset = offset - self._window_records
        while order and (order[0][1] < oldest_ms or order[0][0] < oldest_offset):
            old_offset, _, key_hash = order.popleft()
            if self._last_seen.get(key_hash) == old_offset:
                del self._last_seen[key_hash]
