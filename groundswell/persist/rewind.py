"""Where a projection starts to read, and where to apply."""

from typing import NamedTuple

import structlog

from groundswell.contract.ports.log import COMPACTED, Log, Topic
from groundswell.contract.ports.store import StoreUnavailable
from groundswell.log.rewind import rewound_offset

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
    if applied < bounds.first and topic not in COMPACTED:
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
    return Start(await rewound_offset(log, partition, apply_from), apply_from)
