"""The records appended last, in memory: who reads at the end of the log needs no SQL."""

from collections import deque

from groundswell.contract.ports.log import Record


class Recent:
    """The newest records of all lanes, bounded by bytes together. Belongs to the event loop."""

    def __init__(self, *, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._lanes: dict[int, _Run] = {}
        self._age: deque[tuple[int, int, int]] = deque()  # (lane, records, bytes), oldest first

    def extend(self, lane: int, records: list[Record], size: int) -> None:
        """Enter consecutive records, which follow those of the lane that are here."""
        run = self._lanes.get(lane)
        if run is None:
            run = self._lanes[lane] = _Run(records[0].offset)
        run.records += records
        self._age.append((lane, len(records), size))
        self._bytes += size
        while self._bytes > self._bytes_max:
            self._forget_oldest()

    def read(self, lane: int, offset: int, limit: int) -> list[Record] | None:
        """Return up to `limit` records from `offset` on; None if `offset` is too long ago."""
        run = self._lanes.get(lane)
        if run is None or offset < run.first:
            return None
        start = run.dead + offset - run.first
        return run.records[start : start + limit]

    def clear(self) -> None:
        """Forget everything: the file is to be read again."""
        self._lanes.clear()
        self._age.clear()
        self._bytes = 0

    def _forget_oldest(self) -> None:
        lane, count, size = self._age.popleft()
        self._bytes -= size
        run = self._lanes[lane]
        run.first += count
        run.dead += count
        if run.dead == len(run.records):
            del self._lanes[lane]
        elif run.dead * 2 > len(run.records):  # so each record is moved about once
            del run.records[: run.dead]
            run.dead = 0


class _Run:
    """Consecutive records of one lane; the first `dead` of the list are forgotten already."""

    __slots__ = ("dead", "first", "records")

    def __init__(self, first: int) -> None:
        self.first = first  # offset of records[dead]
        self.dead = 0
        self.records: list[Record] = []
