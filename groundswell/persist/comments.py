"""The comments projection: events, less the duplicates, become rows."""

from collections.abc import Sequence

from groundswell.contract.events import Event, EventKind, LoggedEvent
from groundswell.contract.ports.log import Log, Topic
from groundswell.contract.ports.store import (
    CommentsBatch,
    CommentStore,
    DeadLetters,
    Projection,
)
from groundswell.persist.backoff import Backoff
from groundswell.persist.events_fold import EventsFold
from groundswell.persist.hot_pages import HotPages
from groundswell.persist.lane import Counters, Decoded
from groundswell.persist.projection import ProjectionWorker


def comments_projection(
    log: Log,
    store: CommentStore,
    *,
    dead_letters: DeadLetters,
    pages: HotPages | None = None,
    backoff: Backoff | None = None,
) -> ProjectionWorker[Event, CommentsBatch]:
    """Return the worker that keeps the store's comments; `start` it.

    `pages`, where the cache is shared by processes, hears of everything that is stored.
    """
    counters = Counters()
    return ProjectionWorker(
        projection=Projection.COMMENTS,
        topic=Topic.EVENTS,
        log=log,
        store=store,
        dead_letters=dead_letters,
        new_fold=lambda partition, applied: CommentsFold(
            partition, applied=applied, counters=counters, pages=pages
        ),
        rewinds=True,
        counters=counters,
        backoff=backoff,
    )


class CommentsFold(EventsFold[CommentsBatch]):
    """One partition's events on their way to the store; see `Fold`."""

    def __init__(
        self, partition: int, *, applied: int, counters: Counters, pages: HotPages | None
    ) -> None:
        super().__init__(Projection.COMMENTS, CommentsBatch, applied=applied, counters=counters)
        self._partition = partition
        self._pages = pages
        if pages is not None:
            pages.begin(partition)

    def fold(self, records: Sequence[Decoded[Event]]) -> None:
        super().fold(records)
        if self._pages is None or not records or records[0].offset >= self._applied:
            return
        # Whoever stored these deletions may have ended before the pages were without the text.
        deletions = [
            LoggedEvent(*record)
            for record in records
            if record.offset < self._applied and record.value.kind == EventKind.DELETION
        ]
        self._pages.stored(self._partition, deletions, upto=self._applied)

    def written(self) -> None:
        if self._pages is not None:
            self._pages.stored(self._partition, self.handed_out, upto=self.handed_out_upto)
        super().written()
