"""When compaction and retention run. Everything here runs in the writer thread."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from groundswell.log.database import Database, Keep
from groundswell.log.schema import COMPACTED_LANES_FROM
from groundswell.log.upkeep import Slice

RETENTION_EVERY_S = 60.0
COMPACT_AFTER = 10_000  # records appended to compacted topics, and at least as many as are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepRules:
    """How long what is kept: times in milliseconds; tombstones at least `tombstone_ms`."""

    retention_ms: int
    tombstone_ms: int
    keep_for: Keep


class Caretaker:
    """Decides when a pass is due and takes it step by step."""

    def __init__(self, rules: UpkeepRules) -> None:
        self._rules = rules
        self._steps: Iterator[Slice] | None = None
        self._expire_at = 0.0  # monotonic; at the start: at once
        # What the process before left uncompacted is not known, so the first pass looks.
        self._uncompacted = COMPACT_AFTER
        self._kept = 0

    @property
    def busy(self) -> bool:
        """Whether a pass is under way."""
        return self._steps is not None

    def saw(self, lane: int) -> None:
        """Count a record that was appended."""
        if lane >= COMPACTED_LANES_FROM:
            self._uncompacted += 1

    def hurry(self) -> None:
        """Have the next pass begin at once: space is short."""
        self._expire_at = 0.0

    def give_up(self) -> None:
        """Forget the pass under way: a step of it failed."""
        self._steps = None

    def begin(self, database: Database, *, thorough: bool) -> None:
        """Begin a pass from the start; `thorough`: compact whether or not it is worth it."""
        self._expire_at = time.monotonic() + RETENTION_EVERY_S
        self._steps = self._pass(database, compact=thorough or self._compaction_is_worth_it())

    def begin_if_due(self, database: Database) -> None:
        """Begin a pass if none is under way and it is time."""
        if self._steps is None and (
            time.monotonic() >= self._expire_at or self._compaction_is_worth_it()
        ):
            self.begin(database, thorough=False)

    def step(self) -> Slice | None:
        """Do one slice; None: nothing was left to do."""
        piece = None if self._steps is None else next(self._steps, None)
        if piece is None:
            self._steps = None
        return piece

    def _compaction_is_worth_it(self) -> bool:
        # A pass reads all that is kept, so it waits until about as much was added.
        return self._uncompacted >= max(COMPACT_AFTER, self._kept)

    def _pass(self, database: Database, *, compact: bool) -> Iterator[Slice]:
        rules = self._rules
        yield from database.retention(retention_ms=rules.retention_ms, keep_for=rules.keep_for)
        if compact:
            self._uncompacted = 0
            kept = 0
            for piece in database.compaction(tombstone_ms=rules.tombstone_ms):
                kept += piece.kept
                yield piece
            self._kept = kept
