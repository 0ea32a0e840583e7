"""One open partition: what every broker decides alike of its records, and its rooms.

Feed it batches of `events` and `totals` in order. `next_offset` is the position everything here is
complete to.
"""

from collections import OrderedDict
from collections.abc import Iterable

import structlog

from groundswell.broker.backlog import Backlog, Entry
from groundswell.broker.budget import DisplayBudget
from groundswell.broker.room import Room
from groundswell.broker.shown import is_newer
from groundswell.contract.dedup import DedupWindow
from groundswell.contract.events import (
    Event,
    EventFlag,
    EventKind,
    TotalsRecord,
    UnreadableRecord,
    decode_event,
    decode_totals,
)
from groundswell.contract.ports.log import Batch

PRIVILEGED = int(EventFlag.PRIVILEGED)  # an IntFlag's own & costs more than all else here
TOTALS_KEPT = 10_000  # latest totals; bridges the time from their publication to the store

log = structlog.get_logger(__name__)


class OpenPartition:
    """A partition that a broker reads."""

    def __init__(self, number: int, *, start: int, first_used: int, display_rate: int) -> None:
        self.number = number
        self.next_offset = start
        self.warm = False  # read to where the log ended when it was opened
        self.unreadable = 0
        self.duplicates = 0
        self.backlog = Backlog(first_used)
        self.rooms: dict[str, Room] = {}
        self._first_used = first_used  # before it records are read for dedup and budget alone
        self._dedup = DedupWindow()
        self._last_ms = 0  # append time of the newest record
        self._display_rate = display_rate
        self._budgets: dict[str, DisplayBudget] = {}
        self._totals: OrderedDict[tuple[str, str, int], TotalsRecord] = OrderedDict()

    def accept_events(self, batch: Batch) -> None:
        """Take the next batch of `events`."""
        for record in batch.records:
            offset = record.offset
            self._last_ms = record.append_ms
            if offset >= self._first_used:
                self.backlog.note(offset, record.append_ms)
            if record.value is None:
                continue
            try:
                event = decode_event(record.value)
            except UnreadableRecord as error:
                self.unreadable += 1
                log.error("record skipped", partition=self.number, offset=offset, error=str(error))
                continue
            if self._dedup.is_duplicate(offset, record.append_ms, event.key_hash):
                self.duplicates += 1
                continue
            try:
                self._accept_event(offset, record.append_ms, event)
            except Exception:  # an event that nobody foresaw must not end the partition
                self.unreadable += 1
                log.exception("event skipped", partition=self.number, offset=offset)
        self.next_offset = batch.end

    def _accept_event(self, offset: int, append_ms: int, event: Event) -> None:
        video_id = event.video_id
        shown = True
        if event.kind == EventKind.COMMENT:
            budget = self._budgets.get(video_id)
            if budget is None:
                budget = self._budgets[video_id] = DisplayBudget(self._display_rate)
            shown = budget.shows(
                append_ms,
                event.comment_id,
                privileged=bool(event.flags & PRIVILEGED),
            )
        elif event.kind == EventKind.DELETION:
            self.backlog.redact(video_id, event.comment_id)
        else:
            return  # of a newer program; see contract/events.py
        if offset < self._first_used:
            return
        entry = Entry(
            offset=offset,
            append_ms=append_ms,
            kind=event.kind,
            comment_id=event.comment_id,
            parent_id=event.parent_id,
            public_json=event.public_json,
            shown=shown,
        )
        self.backlog.add(video_id, entry)
        room = self.rooms.get(video_id)
        if room is not None:
            room.accept(entry)

    def accept_totals(self, batch: Batch) -> None:
        """Take the next batch of `totals`."""
        for record in batch.records:
            if record.value is None:
                continue
            try:
                totals = decode_totals(record.value)
            except UnreadableRecord as error:
                self.unreadable += 1
                log.error("totals skipped", partition=self.number, error=str(error))
                continue
            key = (totals.video_id, totals.comment_id, 0 if totals.comment_id else totals.source)
            if not is_newer(totals, self._totals.get(key)):
                continue
            self._totals[key] = totals
            self._totals.move_to_end(key)
            if len(self._totals) > TOTALS_KEPT:
                self._totals.popitem(last=False)
            room = self.rooms.get(totals.video_id)
            if room is not None:
                room.accept_totals(totals)

    def totals_of(self, video_id: str, comment_ids: Iterable[str]) -> dict[str, TotalsRecord]:
        """Return the totals that came lately for these comments."""
        found = {}
        for comment_id in comment_ids:
            record = self._totals.get((video_id, comment_id, 0))
            if record is not None:
                found[comment_id] = record
        return found

    def hearts_of(self, video_id: str) -> list[TotalsRecord]:
        """Return the hearts that came lately for a video."""
        return [
            record
            for (video, comment, _), record in self._totals.items()
            if not comment and video == video_id
        ]

    def forget_before(self, time_ms: int) -> None:
        """Drop what is too old to be resumed from."""
        self.backlog.forget_before(time_ms)
        if len(self._budgets) > 1000:
            self._budgets = {
                v: b for v, b in self._budgets.items() if not b.is_spent(self._last_ms)
            }
