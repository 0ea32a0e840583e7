"""The tally's fold alone: `python -m groundswell.bench.tally_fold REACTIONS` on a core of its own.

Everything that the tally does for a reaction but Kafka and Cassandra: reads records, enters them,
makes the records of `totals` and the rows. Prints reactions and seconds of CPU.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import cast

import msgspec

from groundswell.bench.tally_load import new_crowd
from groundswell.contract.ports.log import Log, Topic
from groundswell.contract.ports.store import CommentStore, HeartTotals, ReactionRow
from groundswell.persist.lane import Decoded
from groundswell.persist.tally import ROWS_MAX, TallyFold

PARTITIONS = 16
RECORDS_A_BATCH = 300  # read from Kafka at once, of one partition: about 2,000 reactions


class Folded(msgspec.Struct, frozen=True):
    """What it took."""

    reactions: int
    cpu_seconds: float


class _NoLog:
    async def append(self, topic: Topic, partition: int, value: bytes, *, key: bytes) -> None:
        pass

    def partitions(self, topic: Topic) -> int:
        return PARTITIONS


class _EmptyStore:
    async def reactions(self, video_id: str, ids: Sequence[str]) -> dict[str, list[ReactionRow]]:
        return {}

    async def hearts(self, video_id: str) -> list[HeartTotals]:
        return []


def main(reactions: int) -> None:
    """Fold so many reactions, and print what it took."""
    crowd = new_crowd(ids_secret=bytes(32), seed=1, now_ms=time.time_ns() // 1_000_000)
    lanes: dict[int, list[bytes]] = {}
    for partition, value in crowd.records(reactions, partitions=PARTITIONS):
        lanes.setdefault(partition, []).append(value)
    began = time.process_time()
    asyncio.run(_fold_all(lanes))
    folded = Folded(reactions, time.process_time() - began)
    print(msgspec.json.encode(folded).decode())  # noqa: T201 - whoever started it reads its stdout


async def _fold_all(lanes: dict[int, list[bytes]]) -> None:
    """Fold all partitions, each from an empty store, a batch of each in turn."""
    log, store = cast("Log", _NoLog()), cast("CommentStore", _EmptyStore())
    folds = {
        partition: TallyFold(
            partition, log=log, store=store, generation=1, rows_max=ROWS_MAX // PARTITIONS
        )
        for partition in lanes
    }
    longest = max(map(len, lanes.values()))
    for start in range(0, longest, RECORDS_A_BATCH):
        for partition, values in lanes.items():
            if some := values[start : start + RECORDS_A_BATCH]:
                await _fold(folds[partition], some, first=start)


async def _fold(fold: TallyFold, values: Sequence[bytes], *, first: int) -> None:
    records = [
        Decoded(offset, 0, fold.decode(value)) for offset, value in enumerate(values, start=first)
    ]
    await fold.load(records)
    fold.fold(records)
    await fold.publish()
    fold.settle()
    fold.hand_out()
    fold.written()


if __name__ == "__main__":
    main(int(sys.argv[1]))
