"""The index: metadata of comments for moderators' search, in the accounts database.

It is a projection like any other: rows and applied offsets are one transaction, and everything in
it can be made again from the log.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from groundswell.contract.events import LoggedEvent
from groundswell.contract.ports.store import ProjectionStore, Totals


class IndexedComment(msgspec.Struct, frozen=True, gc=False):
    """What the index knows of a comment. Its text is in the comment store."""

    comment_id: str
    video_id: str
    user_id: str
    timestamp_ms: int
    reply_to_comment_id: str | None
    deleted: bool
    offset: int


class IndexBatch(NamedTuple):
    """Events in log order, duplicates already left out."""

    events: Sequence[LoggedEvent]


class IndexTotalsBatch(NamedTuple):
    """Totals of comments, the latest of each."""

    totals: Sequence[Totals]


class CommentIndex(ProjectionStore[IndexBatch | IndexTotalsBatch], Protocol):
    """All methods raise `StoreUnavailable`."""

    async def comments_of_user(
        self, user_id: str, *, video_id: str | None = None, before_ms: int | None = None, limit: int
    ) -> Sequence[IndexedComment]:
        """Return a user's comments, newest first."""
        ...

    async def comments_of_video(
        self, video_id: str, *, from_ms: int, to_ms: int, limit: int
    ) -> Sequence[IndexedComment]:
        """Return a video's comments with `from_ms <= timestamp < to_ms`, oldest first."""
        ...

    async def comment(self, comment_id: str) -> IndexedComment | None:
        """Return one comment."""
        ...

    async def totals_of(self, comment_ids: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Return the reaction totals of those comments that have any."""
        ...
