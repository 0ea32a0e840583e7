"""What the event loop asks of the writer thread, and what the thread tells the loop."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from groundswell.contract.ports.log import Appended, LogError, Record, Topic
from groundswell.contract.statistics import Count, Sum
from groundswell.log.upkeep import LaneEnd

Append = tuple["asyncio.Future[Appended]", int, bytes | None, bytes | None]
"""`(who waits, lane, key, value)`; a plain tuple because there is one for every record."""


@dataclass(frozen=True, slots=True)
class CommitOffset:
    """A group has done everything before an offset of a lane."""

    group: str
    lane: int
    offset: int


@dataclass(frozen=True, slots=True)
class RunUpkeep:
    """Compact and expire now; `done` is told when nothing is left to do."""

    done: "asyncio.Future[None]"


class Stop:
    """Finish what is queued, then end."""


Request = Append | CommitOffset | RunUpkeep | Stop


@dataclass(frozen=True, slots=True)
class LogStatistics:
    """Counters since the start, for the metrics. Records per commit: `appended / commits`."""

    appended: Count = 0  # records
    appended_bytes: Count = 0  # keys and values
    commits: Count = 0  # transactions with records
    commit_seconds: Sum = 0.0  # spent in them, fsync included
    queue_depth: int = 0  # requests that no transaction has taken yet
    failures: Count = 0  # transactions that failed
    deleted: Count = 0  # records, by compaction and retention


class Listener(Protocol):
    """The writer's only way back; every method is called on the event loop."""

    def opened(
        self,
        epochs: dict[Topic, str],
        lanes: dict[int, LaneEnd],
        commits: dict[tuple[str, int], int],
    ) -> None:
        """The file was opened, perhaps again: this is what it holds."""
        ...

    def written(
        self, waiting: list[Append], records: list[Record], by_lane: dict[int, list[Record]]
    ) -> None:
        """A batch is durable; `records` are in the order of `waiting`."""
        ...

    def failed(self, waiting: list[Append], error: LogError) -> None:
        """A batch is not durable, or may not be, as the error says."""
        ...

    def trimmed(self, lane: int, first: int) -> None:
        """Retention deleted the records before `first`."""
        ...

    def recovered(self) -> None:
        """After a failure there is reason to believe that appends work again."""
        ...

    def upkeep_done(self, request: RunUpkeep) -> None:
        """What was asked for is done."""
        ...

    def stopped(self, error: LogError | None) -> None:
        """The thread is at its end; with an error if the first opening failed."""
        ...
