"""The index projections: what moderators search, from `events` and from `totals`."""

from collections.abc import Sequence

from groundswell.contract.events import (
    Event,
    EventKind,
    TotalsRecord,
    UnreadableRecord,
    decode_totals,
)
from groundswell.contract.faultpoints import reach
from groundswell.contract.names import is_user_id, is_video_id
from groundswell.contract.ports.index import CommentIndex, IndexBatch, IndexTotalsBatch
from groundswell.contract.ports.log import Log, Topic
from groundswell.contract.ports.store import DeadLetters, Projection, Totals
from groundswell.persist.backoff import Backoff
from groundswell.persist.events_fold import EventsFold
from groundswell.persist.lane import Counters, Decoded
from groundswell.persist.projection import ProjectionWorker

_NUMBER_MAX = 1 << 53  # what every engine of ours, and JSON, has room for


def index_projection(
    log: Log, index: CommentIndex, *, dead_letters: DeadLetters, backoff: Backoff | None = None
) -> ProjectionWorker[Event, IndexBatch]:
    """Return the worker that keeps the comments of the index; `start` it."""
    counters = Counters()
    return ProjectionWorker(
        projection=Projection.INDEX,
        topic=Topic.EVENTS,
        log=log,
        store=index,
        dead_letters=dead_letters,
        new_fold=lambda _, applied: IndexFold(applied=applied, counters=counters),
        rewinds=True,
        counters=counters,
        backoff=backoff,
    )


def index_totals_projection(
    log: Log, index: CommentIndex, *, dead_letters: DeadLetters, backoff: Backoff | None = None
) -> ProjectionWorker[TotalsRecord, IndexTotalsBatch]:
    """Return the worker that keeps the reaction totals of the index; `start` it.

    The log is started already: its generation says which totals still mean something.
    """
    counters, generation = Counters(), log.generation()
    return ProjectionWorker(
        projection=Projection.INDEX_TOTALS,
        topic=Topic.TOTALS,
        log=log,
        store=index,
        dead_letters=dead_letters,
        new_fold=lambda *_: IndexTotalsFold(generation=generation),
        rewinds=False,  # totals are absolute: of each comment the latest is all
        counters=counters,
        backoff=backoff,
    )


class IndexFold(EventsFold[IndexBatch]):
    """One partition's events on their way to the index; see `Fold`."""

    def __init__(self, *, applied: int, counters: Counters) -> None:
        super().__init__(Projection.INDEX, IndexBatch, applied=applied, counters=counters)

    def decode(self, value: bytes) -> Event:
        """Read an event; one that columns have no room for is unreadable."""
        event = super().decode(value)
        if event.kind not in (EventKind.COMMENT, EventKind.DELETION):
            return event  # of a later program; `fold` leaves it out
        names = (event.video_id, event.comment_id, event.parent_id or event.comment_id)
        if not (all(map(is_video_id, names)) and is_user_id(event.user_id)):
            raise UnreadableRecord("event with a name that is none")
        if not 0 <= event.time_ms < _NUMBER_MAX:
            raise UnreadableRecord(f"event of the time {event.time_ms}")
        return event


class IndexTotalsFold:
    """One partition's totals on their way to the index, the latest of each; see `Fold`."""

    def __init__(self, *, generation: int) -> None:
        self._generation = generation
        self._unwritten: dict[str, Totals] = {}

    def decode(self, value: bytes) -> TotalsRecord:
        """Read totals; such that columns have no room for are unreadable."""
        record = decode_totals(value)
        if record.comment_id and not is_video_id(record.comment_id):
            raise UnreadableRecord("totals of a comment whose id is none")
        if not all(0 <= number < _NUMBER_MAX for number in (record.offset, *record.counts)):
            raise UnreadableRecord(f"totals {record.counts} at {record.offset}")
        return record

    async def load(self, records: Sequence[Decoded[TotalsRecord]]) -> None:
        pass  # the index itself knows what is older

    def fold(self, records: Sequence[Decoded[TotalsRecord]]) -> None:
        for _, _, record in records:
            if not record.comment_id or record.generation != self._generation:
                continue  # hearts, or counted in topics that were made anew since
            known = self._unwritten.get(record.comment_id)
            if known is None or record.offset >= known.offset:
                self._unwritten[record.comment_id] = Totals(
                    record.video_id, record.comment_id, record.counts, record.offset
                )

    async def publish(self) -> None:
        pass  # brokers read the totals themselves

    def settle(self) -> None:
        pass

    def unwritten_rows(self) -> int:
        return len(self._unwritten)

    def hand_out(self) -> IndexTotalsBatch:
        totals, self._unwritten = self._unwritten, {}
        reach("persist.index-totals.before_apply")
        return IndexTotalsBatch(list(totals.values()))

    def written(self) -> None:
        reach("persist.index-totals.after_apply")
