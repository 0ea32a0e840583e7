"""What projections of `events` have in common: log order in, duplicates out."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from groundswell.contract.dedup import DedupWindow
from groundswell.contract.events import Event, EventKind, LoggedEvent, decode_event
from groundswell.contract.faultpoints import reach
from groundswell.contract.ports.store import Projection
from groundswell.persist.lane import Counters, Decoded

_BatchT = TypeVar("_BatchT", covariant=True)


class EventsFold(Generic[_BatchT]):
    """One partition's events on their way to a store; see `Fold`.

    It must see the records of the duplicate window before `applied`, which are not handed out.
    """

    def __init__(
        self,
        projection: Projection,
        new_batch: Callable[[list[LoggedEvent]], _BatchT],
        *,
        applied: int,
        counters: Counters,
    ) -> None:
        self.handed_out: list[LoggedEvent] = []
        self.handed_out_upto = applied  # all before it is written or handed out
        self._projection = projection
        self._new_batch = new_batch
        self._applied = applied
        self._counters = counters
        self._window = DedupWindow()
        self._unwritten: list[LoggedEvent] = []
        self._folded = applied

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
        if records:
            self._folded = max(self._folded, records[-1].offset + 1)

    async def publish(self) -> None:
        pass  # brokers read the events themselves

    def settle(self) -> None:
        pass

    def unwritten_rows(self) -> int:
        return len(self._unwritten)

    def hand_out(self) -> _BatchT:
        self.handed_out, self._unwritten = self._unwritten, []
        self.handed_out_upto = self._folded
        reach(f"persist.{self._projection}.before_apply")
        return self._new_batch(self.handed_out)

    def written(self) -> None:
        self.handed_out = []
        reach(f"persist.{self._projection}.after_apply")
