"""What the event loop knows of the log without asking the file, and who waits for more."""

from typing import Protocol

from groundswell.contract.ports.log import Bounds, Record
from groundswell.log.recent import Recent
from groundswell.log.upkeep import LaneEnd


class Watcher(Protocol):
    """Is told that a lane which it watches has grown."""

    def grown(self, lane: int) -> None:
        """Look again; called in the same loop turn in which the end moved."""
        ...


class LogState:
    """Bounds, newest records and watchers of every lane. Belongs to the event loop."""

    def __init__(self, *, recent_bytes: int) -> None:
        self.recent = Recent(bytes_max=recent_bytes)
        self._first: dict[int, int] = {}
        self._end: dict[int, int] = {}
        self._watchers: dict[int, set[Watcher]] = {}

    def bounds(self, lane: int) -> Bounds:
        """Return what can be read."""
        return Bounds(self._first[lane], self._end[lane])

    def end(self, lane: int) -> int:
        """Return the next offset of a lane."""
        return self._end[lane]

    def load(self, lanes: dict[int, LaneEnd]) -> None:
        """Begin with what the file holds, again after it was opened again."""
        self.recent.clear()
        for lane, at in lanes.items():
            self._first[lane] = at.first
            self._end[lane] = at.end
            self._wake(lane)

    def extend(self, by_lane: dict[int, list[Record]]) -> None:
        """Enter records that are durable."""
        for lane, records in by_lane.items():
            size = sum([len(record.value or b"") + len(record.key or b"") for record in records])
            self.recent.extend(lane, records, size)
            self._end[lane] = records[-1].offset + 1
            self._wake(lane)

    def trim(self, lane: int, first: int) -> None:
        """Note that the records before `first` are deleted."""
        self._first[lane] = max(first, self._first[lane])

    def watch(self, lane: int, watcher: Watcher) -> None:
        """Tell `watcher` from now on when the lane grows."""
        self._watchers.setdefault(lane, set()).add(watcher)

    def unwatch(self, lane: int, watcher: Watcher) -> None:
        """Take back `watch`; does nothing if there was none."""
        watchers = self._watchers.get(lane)
        if watchers is not None:
            watchers.discard(watcher)
            if not watchers:
                del self._watchers[lane]

    def _wake(self, lane: int) -> None:
        for watcher in self._watchers.get(lane, ()):
            watcher.grown(lane)
