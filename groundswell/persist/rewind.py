"""Where a projection starts to read, and where to apply."""

from typing import NamedTuple

import structlog

from groundswell.contract.dedup import WINDOW_MS, WINDOW_RECORDS
from groundswell.contract.ports.log import Bounds, Log, Topic
from groundswell.contract.ports.store import StoreUnavailable

_log = structlog.get_logger("groundswell.persist")


class Start(NamedTuple):
    """Records before `apply_from` are only looked at: they may make a later one a duplicate."""

    read_from: int
    apply_from: int


async def find_start(
    log: Log, topic: Topic, partition: int, *, applied: int, rewinds: bool
) -> Start:
    """Return where to start for a store that has everything before `applied`.

    Raises `StoreUnavailable` where the store knows records that this log does not have, and
    `LogError`.
    """
    bounds = await log.bounds(topic, partition)
    if applied > bounds.end:
        raise StoreUnavailable(
            f"store has {topic}/{partition} up to {applied}, the log ends at {bounds.end}: put "
            f"back the log that it was made from, or move the store away to have it made anew"
        )
    if applied < bounds.first:
        # Retention waits for projections, so somebody cut the log or put an old store back.
        _log.error(
            "records are gone from the log before they were stored",
            topic=topic,
            partition=partition,
            lost=bounds.first - applied,
        )
    apply_from = max(applied, bounds.first)
    if not rewinds:
        return Start(apply_from, apply_from)
    return Start(await _rewound(log, topic, partition, apply_from, bounds), apply_from)


async def _rewound(log: Log, topic: Topic, partition: int, apply_from: int, bounds: Bounds) -> int:
    """Go back by the window of duplicates: so many records, and so much append time."""
    if apply_from == bounds.first:
        return apply_from
    # The record before stands for the first to apply, which may not be there yet: it is no
    # later, so the window that is seen is at worst longer than needed.
    before = await log.read(topic, partition, apply_from - 1, max_records=1)
    if not before.records:
        return apply_from
    oldest_ms = before.records[0].append_ms - WINDOW_MS
    oldest = await log.offset_at(topic, partition, oldest_ms)
    return min(apply_from, max(oldest, apply_from - WINDOW_RECORDS, bounds.first))
