"""The comments projection: events, less the duplicates, become rows."""

from collections.abc import Sequence

from groundswell.contract.dedup import DedupWindow
from groundswell.contract.events import Event, EventKind, LoggedEvent, decode_event
from groundswell.contract.faultpoints import reach
from groundswell.contract.ports.log import Log, Topic
from groundswell.contract.ports.store import (
    CommentsBatch,
    CommentStore,
    DeadLetters,
    Projection,
)
from groundswell.persist.backoff import Backoff
from groundswell.persist.lane import Counters, Decoded
from groundswell.persist.projection import ProjectionWorker


def comments_projection(
    log: Log, store: CommentStore, *, dead_letters: DeadLetters, backoff: Backoff | None = None
) -> ProjectionWorker[Event]:
    """Return the worker that keeps the store's comments; `start` it."""
    counters = Counters()
    return ProjectionWorker(
        projection=Projection.COMMENTS,
        topic=Topic.EVENTS,
        log=log,
        store=store,
        dead_letters=dead_letters,
        new_fold=lambda _, applied: CommentsFold(applied=applied, counters=counters),
        rewinds=True,
        counters=counters,
        backoff=backoff,
    )


class CommentsFold:
    """One partition's events on their way to the store; see `Fold`."""

    def __init__(self, *, applied: int, counters: Counters) -> None:
        self._applied = applied
        self._counters = counters
        self._window = DedupWindow()
        self._unwritten: list[LoggedEvent] = []

    def decode(self, value: bytes) -> Event:
        return decode_event(value)

    async def load(self, records: Sequence[Decoded[Event]]) -> None:
        pass  # what came before is in the window, by rewinding

    def fold(self, records: Sequence[Decoded[Event]]) -> None:
        for offset, append_ms, event in records:
            if event.kind == EventKind.COMMENT:
                if self._window.is_duplicate(offset, append_ms, event.key_hash):
                    self._counters.duplicates += offset >= self._applied
                    continue
            elif event.kind != EventKind.DELETION:
                continue  # a kind of a later program: contract/events.py
            if offset >= self._applied:
                self._unwritten.append(LoggedEvent(offset, append_ms, event))

    async def publish(self) -> None:
        pass  # brokers read the events themselves

    def settle(self) -> None:
        pass

    def unwritten_rows(self) -> int:
        return len(self._unwritten)

    def hand_out(self) -> CommentsBatch:
        events, self._unwritten = self._unwritten, []
        reach("persist.comments.before_apply")
        return CommentsBatch(events)

    def written(self) -> None:
        reach("persist.comments.after_apply")
