"""Packs reactions and hearts of one tick into few records, and answers them when those stand.

One flush is under way at a time: at rest a reaction is sent at once, and under load whatever
arrives during a flush is the next batch. So two records never race for one (comment, user).
"""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

from groundswell.contract.clock import Clock
from groundswell.contract.events import VERSION, Hearts, Reaction, ReactionRecord, encode
from groundswell.contract.partition import partition_of
from groundswell.contract.ports.log import Log, Topic
from groundswell.contract.problems import Refused
from groundswell.contract.reactions import NO_COUNTS, Counts
from groundswell.ingest.append import Appender
from groundswell.ingest.counts import HeartCounts, ReactionCounts

_log = logging.getLogger(__name__)

RECORD_ENTRIES_MAX: Final = 4000  # of at most 210 bytes each: below RECORD_BYTES_MAX
WAITING_MAX: Final = 100_000  # reactions that wait for their record: 60 MB, seconds of full load

_Answer = asyncio.Future[Counts]


@dataclass(slots=True)
class _Wish:
    """The last reaction of one user to one comment in this tick, and all who wait for it."""

    reaction: Reaction
    waiting: list[_Answer]


@dataclass(slots=True)
class _Beat:
    """Hearts of one video in this tick."""

    counts: list[int]
    waiting: list[_Answer]


@dataclass(slots=True)
class _Tick:
    wishes: dict[tuple[str, str], _Wish] = field(default_factory=dict)
    beats: dict[str, _Beat] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.wishes or self.beats)


@dataclass(slots=True)
class _Pack:
    """What goes into one record of one partition."""

    partition: int
    wishes: list[_Wish] = field(default_factory=list)
    beats: list[tuple[str, _Beat]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.wishes) + len(self.beats)

    def waiting(self) -> list[_Answer]:
        wishes = (answer for wish in self.wishes for answer in wish.waiting)
        beats = (answer for _, beat in self.beats for answer in beat.waiting)
        return [*wishes, *beats]


class Packer:
    """Collects, sends and answers. `process_id` keeps the heart counters of processes apart."""

    def __init__(
        self,
        *,
        log: Log,
        appender: Appender,
        reaction_counts: ReactionCounts,
        heart_counts: HeartCounts,
        process_id: str,
        clock: Clock,
        tick: float = 0.005,
    ) -> None:
        self._log = log
        self._appender = appender
        self._reaction_counts = reaction_counts
        self._heart_counts = heart_counts
        self._process_id = process_id
        self._clock = clock
        self._tick_s = tick
        self._tick = _Tick()
        self._waiting = 0
        self._flusher: asyncio.Task[None] | None = None

    async def react(self, reaction: Reaction) -> Counts:
        """Return the comment's counts once the reaction is in the log; raises `Refused`."""
        answer = self._admit()
        key = (reaction.comment_id, reaction.user_id)
        wish = self._tick.wishes.get(key)
        if wish is None:
            self._tick.wishes[key] = _Wish(reaction, [answer])
        else:  # the later wish of a tick replaces the earlier; both get the same counts
            wish.reaction = reaction
            wish.waiting.append(answer)
        return await answer

    async def heart(self, video_id: str, code: int) -> Counts:
        """Return the video's counts once the heart is in the log; raises `Refused`."""
        answer = self._admit()
        beat = self._tick.beats.get(video_id)
        if beat is None:
            beat = self._tick.beats[video_id] = _Beat(list(NO_COUNTS), [])
        beat.counts[code - 1] += 1
        beat.waiting.append(answer)
        return await answer

    async def close(self) -> None:
        """Wait until everything that was accepted is answered."""
        while self._flusher is not None:
            await asyncio.wait([self._flusher])

    def _admit(self) -> _Answer:
        if self._waiting >= WAITING_MAX:
            raise Refused("busy")
        self._waiting += 1
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush_all())
        return asyncio.get_running_loop().create_future()

    async def _flush_all(self) -> None:
        try:
            while self._tick:
                tick, self._tick = self._tick, _Tick()
                started = self._clock.monotonic()
                await self._flush(self._pack(tick))
                rest = self._tick_s - (self._clock.monotonic() - started)
                await asyncio.sleep(max(0.0, rest))
        finally:
            self._flusher = None

    def _pack(self, tick: _Tick) -> list[_Pack]:
        partitions = self._log.partitions(Topic.REACTIONS)
        packs: list[_Pack] = []
        open_packs: dict[int, _Pack] = {}

        def pack_of(key: str) -> _Pack:
            partition = partition_of(key, partitions)
            pack = open_packs.get(partition)
            if pack is None or len(pack) == RECORD_ENTRIES_MAX:
                pack = open_packs[partition] = _Pack(partition)
                packs.append(pack)
            return pack

        for wish in tick.wishes.values():
            pack_of(wish.reaction.comment_id).wishes.append(wish)
        for video_id, beat in tick.beats.items():
            pack_of(f"{video_id}/{self._process_id}").beats.append((video_id, beat))
        return packs

    async def _flush(self, packs: list[_Pack]) -> None:
        """Send all records of a tick, then answer those that stand; never raises."""
        waiting = [answer for pack in packs for answer in pack.waiting()]
        self._waiting -= len(waiting)
        try:
            sent = await asyncio.gather(*map(self._send, packs))
            await self._answer(
                [(pack, at) for pack, at in zip(packs, sent, strict=True) if at is not None]
            )
        except Exception as error:  # noqa: BLE001 - whoever waits must be answered, and is told
            _log.error("reactions could not be packed", exc_info=error)
            _fail(waiting, Refused("internal"))

    async def _send(self, pack: _Pack) -> int | None:
        """Return the offset of a record; None: it was not taken, and those who wait were told."""
        try:
            appended = await self._appender.append(
                Topic.REACTIONS, pack.partition, self._encode(pack)
            )
        except Refused as refused:
            _fail(pack.waiting(), refused)
            return None
        return appended.offset

    def _encode(self, pack: _Pack) -> bytes:
        record = ReactionRecord(
            version=VERSION,
            time_ms=self._clock.wall_ms(),
            reactions=[wish.reaction for wish in pack.wishes],
            hearts=[Hearts(video_id, tuple(beat.counts)) for video_id, beat in pack.beats],
        )
        return encode(record)

    async def _answer(self, packs: list[tuple[_Pack, int]]) -> None:
        wishes = [(wish, offset) for pack, offset in packs for wish in pack.wishes]
        if wishes:
            after = await self._reaction_counts.after(
                [(wish.reaction, offset) for wish, offset in wishes]
            )
            for (wish, _), counts in zip(wishes, after, strict=True):
                _succeed(wish.waiting, counts)
        for pack, _ in packs:
            for video_id, beat in pack.beats:
                _succeed(beat.waiting, await self._heart_counts.after(video_id, beat.counts))


def _succeed(waiting: list[_Answer], counts: Counts) -> None:
    for answer in waiting:
        if not answer.done():  # its client may have gone
            answer.set_result(counts)


def _fail(waiting: list[_Answer], refused: Refused) -> None:
    for answer in waiting:
        if not answer.done():
            # An exception of its own for each: a shared one would collect their tracebacks.
            answer.set_exception(
                Refused(refused.code, refused.detail, retry_after=refused.retry_after)
            )
