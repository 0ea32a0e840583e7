"""How far back a reader starts, to decide about duplicates as every other reader does."""

from groundswell.contract.dedup import WINDOW_MS, WINDOW_RECORDS
from groundswell.contract.ports.log import Log, Topic


async def rewound_offset(log: Log, partition: int, offset: int) -> int:
    """Return where in `events` to start so that records from `offset` on can be judged.

    That is the dedup window before it (`contract/dedup.py`): so many records and so much append
    time, whichever is less. Raises `LogError`.
    """
    first = (await log.bounds(Topic.EVENTS, partition)).first
    if offset <= first:
        return first
    # The record before stands for the first to use, which may not be there yet: it is no later,
    # so the window that is read is at worst longer than needed.
    before = await log.read(Topic.EVENTS, partition, offset - 1, max_records=1)
    if not before.records:
        return offset
    oldest = await log.offset_at(Topic.EVENTS, partition, before.records[0].append_ms - WINDOW_MS)
    return min(offset, max(oldest, offset - WINDOW_RECORDS, first))
