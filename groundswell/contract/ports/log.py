"""The log: partitioned, ordered, durable records. Kafka, or SQLite when embedded."""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

RECORD_BYTES_MAX = 1 << 20  # Kafka's default `message.max.bytes`; larger is refused, not sent


class Topic(StrEnum):
    """The topics of the architecture, section 3."""

    EVENTS = "events"  # by video: comments, deletions
    REACTIONS = "reactions"  # by comment: packed reactions and hearts
    TOTALS = "totals"  # by video: absolute totals; compacted
    CONTROL = "control"  # one partition: bans by subject; compacted
    DEAD_LETTERS = "dead-letters"  # one partition: records that no projection can apply


COMPACTED = frozenset({Topic.TOTALS, Topic.CONTROL})
UNPARTITIONED = frozenset({Topic.CONTROL, Topic.DEAD_LETTERS})


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record. `append_ms` never decreases within a partition; `value` None: a tombstone."""

    offset: int
    append_ms: int
    key: bytes | None
    value: bytes | None


class Batch(NamedTuple):
    """Consecutive records of one partition.

    `end` is the next offset to read after them. Offsets may have gaps (compaction), so `end` can
    move on although `records` is empty.
    """

    topic: Topic
    partition: int
    records: Sequence[Record]
    end: int


class Appended(NamedTuple):
    """Where a record stands, once it is durable."""

    offset: int
    append_ms: int


class Bounds(NamedTuple):
    """The offsets that can be read: `first <= offset < end`."""

    first: int
    end: int


class LogError(Exception):
    """The log did not do what it was asked; see the subclasses."""


class LogUnavailable(LogError):
    """Nothing was appended or read; trying again later is safe."""


class LogReplaced(LogError):
    """This is not the log that the process was started with, or not one that `migrate` bound.

    Its topics were deleted and made anew, or never made: no offset that is known means anything
    in it. The process must end; the text says what to do before it is started again.
    """


class LogFull(LogUnavailable):
    """Nothing was appended: there is no space. Reading still works."""


class OutcomeUnknown(LogError):
    """The record may or may not be in the log; the sender must repeat it with the same key."""


class RecordTooLarge(LogError):
    """The record is over `RECORD_BYTES_MAX` and was not sent."""


class OffsetOutOfRange(LogError):
    """The offset is not within the bounds; never silently reset."""

    def __init__(self, topic: Topic, partition: int, offset: int, bounds: Bounds) -> None:
        super().__init__(topic, partition, offset, bounds)
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.bounds = bounds

    def __str__(self) -> str:
        return (
            f"offset {self.offset} of {self.topic}/{self.partition} is not in "
            f"{self.bounds.first}..{self.bounds.end}"
        )


class Tail(Protocol):
    """Follows chosen partitions from chosen offsets, without a group."""

    def follow(self, topic: Topic, partition: int, offset: int) -> None:
        """Start reading at `offset` (at most the end); again: continue from there instead."""
        ...

    def unfollow(self, topic: Topic, partition: int) -> None:
        """Stop reading this partition; no batch of it is returned any more."""
        ...

    async def next_batches(self) -> list[Batch]:
        """Wait for records and return them, at most one batch a partition, in order.

        Raises `LogUnavailable` (call again: it continues where it was) and `OffsetOutOfRange`
        (that partition is unfollowed).
        """
        ...

    async def close(self) -> None:
        """Let go; a waiting `next_batches` raises `asyncio.CancelledError`."""
        ...


StartAt = Callable[[int, int | None], Awaitable[int]]
"""`(partition, committed offset or None) -> offset to start at`, asked when a partition comes."""

Lost = Callable[[int], None]
"""`(partition)`: another member owns it now; nothing of it may be written any more."""


class Group(Protocol):
    """One member of a consumer group on one topic; each partition has one owner."""

    async def next_batches(self) -> list[Batch]:
        """Wait for records of the owned partitions; at most one batch a partition."""
        ...

    async def commit(self, partition: int, offset: int) -> None:
        """Say that everything before `offset` is done. Never goes back."""
        ...

    async def committed(self, partition: int) -> int | None:
        """Return what the group committed last."""
        ...

    async def close(self) -> None:
        """Leave the group."""
        ...


class Log(Protocol):
    """One log with all topics. All methods belong to one event loop."""

    async def start(self) -> None:
        """Open or connect; raises `LogError` with what to do about it.

        `LogUnavailable`: it may be tried again on the same object.
        """
        ...

    async def close(self) -> None:
        """Finish what was accepted, then let go. Idempotent."""
        ...

    def partitions(self, topic: Topic) -> int:
        """Return how many partitions the topic has; fixed for the log's life."""
        ...

    def epoch(self, topic: Topic) -> str:
        """Return 16 hex digits that name this topic's log for good."""
        ...

    def generation(self) -> int:
        """Return the number, from 1 on, of this log among all that a store was fed from.

        It grows when topics are made anew. What is written into stores carries (generation,
        offset), so that a new log's records win over an old one's.
        """
        ...

    def replaced(self) -> LogReplaced | None:
        """Return why this is no longer the log that was started, once that is known."""
        ...

    def writable(self) -> bool:
        """Whether the last attempt to append worked."""
        ...

    async def append(
        self, topic: Topic, partition: int, value: bytes | None, *, key: bytes | None = None
    ) -> Appended:
        """Append one record; returns when it is durable. Concurrent calls share one commit.

        Raises `LogUnavailable`, `LogFull`, `RecordTooLarge`: nothing was appended, or
        `OutcomeUnknown`. A cancelled call may still append.
        """
        ...

    async def read(
        self, topic: Topic, partition: int, offset: int, *, max_records: int = 1000
    ) -> Batch:
        """Return records from `offset` on, up to the present end, without waiting for more.

        Raises `OffsetOutOfRange` if `offset` is not in `first..end`, `LogUnavailable`.
        """
        ...

    async def bounds(self, topic: Topic, partition: int) -> Bounds:
        """Return the readable range as of now: what any earlier append returned is inside."""
        ...

    async def offset_at(self, topic: Topic, partition: int, time_ms: int) -> int:
        """Return the first offset appended at or after a time; the end if there is none."""
        ...

    def tail(self) -> Tail:
        """Return a reader of partitions of one's own choice."""
        ...

    def group(
        self,
        name: str,
        topic: Topic,
        *,
        start_at: StartAt | None = None,
        lost: Lost | None = None,
    ) -> Group:
        """Join a consumer group. Without `start_at`: at the committed offset, else the first."""
        ...
