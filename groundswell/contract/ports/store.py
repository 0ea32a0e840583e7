"""The comment store: what the projections write and what reads fall back on."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from groundswell.contract.events import LoggedEvent
from groundswell.contract.ports.log import Record, Topic


class Projection(StrEnum):
    """Each has a consumer group and applied offsets of its own."""

    COMMENTS = "comments"  # from `events`
    TALLY = "tally"  # from `reactions`
    INDEX = "index"  # from `events`
    INDEX_TOTALS = "index-totals"  # from `totals`


class StoredComment(msgspec.Struct, frozen=True, gc=False):
    """A comment that was not deleted. `offset` is its place in `events`."""

    offset: int
    append_ms: int
    comment_id: str
    public_json: bytes


class ReactionRow(msgspec.Struct, frozen=True, gc=False):
    """What one user feels about one comment; code 0: took it back.

    `offset` is that of the record in `reactions` that said so.
    """

    video_id: str
    comment_id: str
    user_id: str
    code: int
    offset: int


class Totals(msgspec.Struct, frozen=True, gc=False):
    """Totals of a comment, as of `offset` in its partition of `reactions`."""

    video_id: str
    comment_id: str
    counts: tuple[int, ...]
    offset: int


class HeartTotals(msgspec.Struct, frozen=True, gc=False):
    """Hearts of a video that came through one partition (`source`) of `reactions`."""

    video_id: str
    source: int
    counts: tuple[int, ...]
    offset: int


class CommentsBatch(NamedTuple):
    """Events in log order, duplicates already left out."""

    events: Sequence[LoggedEvent]


class TallyBatch(NamedTuple):
    """Rows and totals as they are to be, at most one of each key."""

    rows: Sequence[ReactionRow]
    totals: Sequence[Totals]
    hearts: Sequence[HeartTotals]


class StoreUnavailable(Exception):
    """The store did not answer or could not write; nothing of the batch counts as applied."""


_BatchT = TypeVar("_BatchT", contravariant=True)


class ProjectionStore(Protocol[_BatchT]):
    """What a projection writes to: batches, each with the offset it is complete to."""

    async def applied_offset(self, projection: Projection, partition: int) -> int:
        """Return the next offset to apply: all before it is in the store. 0 at first.

        Raises `StoreUnavailable`.
        """
        ...

    async def apply(self, partition: int, batch: _BatchT, *, upto: int) -> None:
        """Write a batch and set the applied offset of its projection to `upto`.

        Durable on return. A batch that is applied again, or after a newer one, changes nothing.
        Raises `StoreUnavailable`.
        """
        ...


class StoreMismatch(Exception):
    """The store was made from another log, or by another program; the text says what to do.

    Unlike `StoreUnavailable` it does not pass by itself: the process must end.
    """


class CommentStore(ProjectionStore[CommentsBatch | TallyBatch], Protocol):
    """Rows, totals and applied offsets of one generation of the log.

    Every write carries its record's offset: applying a batch again, or an older one after a newer
    one, changes nothing. All methods raise `StoreUnavailable`.
    """

    async def start(self) -> None:
        """Open or connect.

        Raises `StoreMismatch` if the store belongs to another log, and `StoreUnavailable`: then
        it may be tried again, and until it worked all methods raise `StoreUnavailable`.
        """
        ...

    async def close(self) -> None:
        """Let go. Idempotent."""
        ...

    def writable(self) -> bool:
        """Whether the last attempt to write worked."""
        ...

    async def comments(
        self, video_id: str, *, start: int, end: int, limit: int, newest: bool = False
    ) -> list[StoredComment]:
        """Return up to `limit` comments with `start <= offset < end`, ascending by offset.

        `newest`: those nearest to `end` rather than to `start`; still ascending.
        """
        ...

    async def replies(
        self, video_id: str, parent_id: str, *, start: int, end: int, limit: int
    ) -> list[StoredComment]:
        """The same for the replies to one comment, whether or not that was deleted."""
        ...

    async def totals(self, video_id: str, comment_ids: Sequence[str]) -> dict[str, Totals]:
        """Return the totals of those comments that have any."""
        ...

    async def hearts(self, video_id: str) -> list[HeartTotals]:
        """Return the hearts of a video, one entry a source partition."""
        ...

    async def reactions(
        self, video_id: str, comment_ids: Sequence[str]
    ) -> dict[str, list[ReactionRow]]:
        """Return all rows of these comments, for the tally; absent: no rows."""
        ...

    async def reactions_of(
        self, video_id: str, pairs: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], int]:
        """Return the codes of these (comment, user) pairs; absent: none."""
        ...


class DeadLetters(Protocol):
    """Where records go that no projection can apply, so that their partition can move on."""

    async def dead_letter(
        self, topic: Topic, partition: int, record: Record, *, reason: str
    ) -> None:
        """Keep a record and why it was refused. Raises `LogError`."""
        ...
