"""The tally: one reaction a user a comment; a comment's totals are the count of its rows.

Whatever is replayed, the numbers come out the same: a row takes only a newer record, totals and
hearts carry the record that they are true at, and readers of `totals` ignore older ones.
"""

import asyncio
from collections.abc import Iterable, Sequence

from groundswell.contract.events import (
    VERSION,
    ReactionRecord,
    TotalsRecord,
    UnreadableRecord,
    decode_reactions,
    encode,
)
from groundswell.contract.faultpoints import reach
from groundswell.contract.partition import partition_of
from groundswell.contract.ports.log import Log, Topic
from groundswell.contract.ports.store import (
    CommentStore,
    DeadLetters,
    HeartTotals,
    Projection,
    ReactionRow,
    TallyBatch,
    Totals,
)
from groundswell.contract.reactions import REACTION_TYPES
from groundswell.persist.backoff import Backoff
from groundswell.persist.counted import (
    CommentKey,
    CountedComment,
    CountedComments,
    CountedHearts,
)
from groundswell.persist.lane import Counters, Decoded
from groundswell.persist.projection import ProjectionWorker

ROWS_MAX = 1_000_000  # kept in memory by one process, about 200 bytes each
_HEARTS_MAX = 1024  # videos a partition
_COMMENTS_A_READ = 200
_CODES = len(REACTION_TYPES)


def tally_projection(
    log: Log,
    store: CommentStore,
    *,
    dead_letters: DeadLetters,
    generation: int,
    rows_max: int = ROWS_MAX,
    backoff: Backoff | None = None,
) -> ProjectionWorker[ReactionRecord, TallyBatch]:
    """Return the worker that counts reactions; `start` it. `generation` is the log's."""
    counters = Counters()
    # Comments are spread evenly over the partitions by hash, so an equal share serves each.
    share = max(1, rows_max // log.partitions(Topic.REACTIONS))
    return ProjectionWorker(
        projection=Projection.TALLY,
        topic=Topic.REACTIONS,
        log=log,
        store=store,
        dead_letters=dead_letters,
        new_fold=lambda partition, _: TallyFold(
            partition, log=log, store=store, generation=generation, rows_max=share
        ),
        rewinds=False,  # a row knows by itself what it has seen
        counters=counters,
        backoff=backoff,
    )


class TallyFold:
    """One partition's comments and hearts in memory; see `Fold`."""

    def __init__(
        self, partition: int, *, log: Log, store: CommentStore, generation: int, rows_max: int
    ) -> None:
        self._partition = partition
        self._log = log
        self._store = store
        self._generation = generation
        self._comments = CountedComments(rows_max=rows_max)
        self._hearts: dict[str, CountedHearts] = {}
        # What the last fold changed, and is being published.
        self._rows: dict[tuple[str, str, str], ReactionRow] = {}
        self._touched: dict[CommentKey, CountedComment] = {}
        self._beaten: dict[str, CountedHearts] = {}
        # What is published and waits to be handed out, then what is being written.
        self._unwritten = _Unwritten()
        self._writing = _Unwritten()

    def decode(self, value: bytes) -> ReactionRecord:
        """Read a record; one with a reaction that this program does not know is unreadable."""
        record = decode_reactions(value)
        for reaction in record.reactions:
            if not 0 <= reaction.code <= _CODES:
                raise UnreadableRecord(f"reaction code {reaction.code}, known are 0 to {_CODES}")
        for hearts in record.hearts:
            if len(hearts.counts) > _CODES or any(not 0 <= n < 1 << 32 for n in hearts.counts):
                raise UnreadableRecord(f"hearts {hearts.counts} are not {_CODES} counts")
        return record

    async def load(self, records: Sequence[Decoded[ReactionRecord]]) -> None:
        """Read rows and hearts that are touched for the first time."""
        wanted: dict[str, dict[str, None]] = {}  # video -> comments, each once, in order
        videos: dict[str, None] = {}
        for record in records:
            for reaction in record.value.reactions:
                if (reaction.video_id, reaction.comment_id) not in self._comments:
                    wanted.setdefault(reaction.video_id, {})[reaction.comment_id] = None
            for hearts in record.value.hearts:
                if hearts.video_id not in self._hearts:
                    videos[hearts.video_id] = None
        if wanted or videos:
            await asyncio.gather(
                *(
                    self._load_comments(video_id, ids)
                    for video_id, all_ids in wanted.items()
                    for ids in _pieces(list(all_ids))
                ),
                *(self._load_hearts(video_id) for video_id in videos),
            )

    def fold(self, records: Sequence[Decoded[ReactionRecord]]) -> None:
        for offset, _, record in records:
            for reaction in record.reactions:
                video_id, comment_id = key = (reaction.video_id, reaction.comment_id)
                user_id, code = reaction.user_id, reaction.code
                changed = self._comments.react(key, user_id, code, offset)
                if changed is not None:
                    self._touched[key] = changed
                    self._rows[video_id, comment_id, user_id] = ReactionRow(
                        video_id, comment_id, user_id, code, offset
                    )
            self._fold_hearts(offset, record)
        for comment in self._touched.values():
            comment.pins += 1
        for hearts in self._beaten.values():
            hearts.pins += 1

    async def publish(self) -> None:
        """Append all totals at once, so that they share one commit of the log."""
        if not self._touched and not self._beaten:
            return
        reach("persist.tally.before_publish")
        await asyncio.gather(*(self._append(record) for record in self._records()))
        reach("persist.tally.after_publish")

    def settle(self) -> None:
        self._unwritten.add(self._rows, self._touched, self._beaten, source=self._partition)
        self._rows, self._touched, self._beaten = {}, {}, {}
        # Here, where no `load` is under way that counts on what is kept.
        self._comments.forget_oldest()
        if len(self._hearts) > _HEARTS_MAX:
            self._hearts = {key: hearts for key, hearts in self._hearts.items() if hearts.pins}

    def unwritten_rows(self) -> int:
        return len(self._unwritten.rows)

    def hand_out(self) -> TallyBatch:
        self._writing, self._unwritten = self._unwritten, _Unwritten()
        writing = self._writing
        return TallyBatch(
            list(writing.rows.values()),
            list(writing.totals.values()),
            list(writing.hearts.values()),
        )

    def written(self) -> None:
        reach("persist.tally.after_apply")
        for counted in self._writing.pinned:
            counted.pins -= 1
        self._writing = _Unwritten()

    def _fold_hearts(self, offset: int, record: ReactionRecord) -> None:
        # A record may name a video more than once: decide for all of them before the first.
        fresh = [
            (more, hearts)
            for more in record.hearts
            if (hearts := self._hearts[more.video_id]).offset < offset
        ]
        for more, hearts in fresh:
            hearts.add(more.counts)
            hearts.offset = offset
            self._beaten[more.video_id] = hearts

    def _records(self) -> Iterable[TotalsRecord]:
        for (video_id, comment_id), comment in self._touched.items():
            yield self._totals_record(video_id, comment_id, comment)
        for video_id, hearts in self._beaten.items():
            yield self._totals_record(video_id, "", hearts)

    def _totals_record(
        self, video_id: str, comment_id: str, counted: CountedComment | CountedHearts
    ) -> TotalsRecord:
        return TotalsRecord(
            VERSION,
            video_id,
            comment_id,
            self._partition,
            self._generation,
            counted.offset,
            tuple(counted.counts),
        )

    async def _append(self, record: TotalsRecord) -> None:
        partition = partition_of(record.video_id, self._log.partitions(Topic.TOTALS))
        await self._log.append(Topic.TOTALS, partition, encode(record), key=record.key())

    async def _load_comments(self, video_id: str, comment_ids: list[str]) -> None:
        rows = await self._store.reactions(video_id, comment_ids)
        for comment_id in comment_ids:
            counted = CountedComment.of_rows(rows.get(comment_id, ()))
            self._comments.add((video_id, comment_id), counted)

    async def _load_hearts(self, video_id: str) -> None:
        totals = await self._store.hearts(video_id)
        ours = next((part for part in totals if part.source == self._partition), None)
        self._hearts[video_id] = CountedHearts.of_totals(ours)


class _Unwritten:
    """Published changes that the store does not have, the latest of each row."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], ReactionRow] = {}
        self.totals: dict[CommentKey, Totals] = {}
        self.hearts: dict[str, HeartTotals] = {}
        self.pinned: list[CountedComment | CountedHearts] = []

    def add(
        self,
        rows: dict[tuple[str, str, str], ReactionRow],
        touched: dict[CommentKey, CountedComment],
        beaten: dict[str, CountedHearts],
        *,
        source: int,
    ) -> None:
        self.rows.update(rows)
        for key, comment in touched.items():
            self.totals[key] = Totals(*key, tuple(comment.counts), comment.offset)
        for video_id, hearts in beaten.items():
            self.hearts[video_id] = HeartTotals(
                video_id, source, tuple(hearts.counts), hearts.offset
            )
        self.pinned += touched.values()
        self.pinned += beaten.values()


def _pieces(names: list[str]) -> Iterable[list[str]]:
    for start in range(0, len(names), _COMMENTS_A_READ):
        yield names[start : start + _COMMENTS_A_READ]
