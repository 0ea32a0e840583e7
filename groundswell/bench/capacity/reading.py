"""What a broker pays to read a record of the log, whether anybody watches or not.

The product's own reading, from the bytes of Kafka's batches on: records, duplicates, display
budget, backlog, room and frames; without the connection to Kafka and without viewers. In a process
of its own, on the server's core.
"""

import asyncio
import resource
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec

from groundswell.bench.capacity import encoded
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process
from groundswell.bench.report import Row
from groundswell.broker.partition import OpenPartition
from groundswell.broker.plane import Plane
from groundswell.broker.room import Room
from groundswell.contract.clock import SystemClock
from groundswell.contract.events import VERSION, TotalsRecord, encode
from groundswell.contract.ports.log import Batch, Record, Topic
from groundswell.contract.settings import RoomSettings

COUNT = 40_000  # comments, and as many totals
RATE = 16_666  # comments a second of append time, for the display budget
DISPLAY_RATE = 20
IN_A_BATCH = 100
TIME = 120.0  # seconds


class Read(msgspec.Struct, frozen=True):
    """What it took."""

    comments: int
    comment_us: float
    comment_bytes: float  # resident memory that a remembered comment adds
    total_us: float


def measure(*, core: int | None, count: int = COUNT) -> Row:
    """Read so many comments and totals, in hundreds, in a process of its own.

    Raises:
        ToolFailed: the process did not do it.
    """
    argv = [sys.executable, "-m", "groundswell.bench.capacity.reading", str(count)]
    with Process(argv, core=core) as process:
        read = msgspec.json.decode(process.read_line(within=TIME), type=Read)
    if read.comments != count:
        raise ToolFailed(f"{read.comments} of {count} comments were read")
    return {
        "CPU us/comment": read.comment_us,
        "CPU us/total": read.total_us,
        "RSS bytes/comment": read.comment_bytes,
    }


class _Nobody:
    """An audience without viewers."""

    def __len__(self) -> int:
        return 0

    def dissolve(self) -> None:
        """There is nobody to part from."""


class _Empty:
    """A plane of such audiences."""

    def audience(self, *_arguments: Any) -> _Nobody:
        return _Nobody()


async def read(count: int) -> Read:
    """Feed a partition with comments and then with their totals."""
    # Imported here: whoever only wants the row's shape needs no client of Kafka.
    from groundswell.log.kafka_records import encode_batch, parse

    ids = encoded.comment_ids()
    comments = [encoded.comment(ids, number) for number in range(count)]
    kept = [event.comment_id for event in comments[-100:]]
    events = [(event.video_id.encode(), encode(event)) for event in comments]
    partition = OpenPartition(0, start=0, first_used=0, display_rate=DISPLAY_RATE)
    room = Room(
        encoded.VIDEO,
        epoch="0123456789abcdef",
        next_offset=lambda: partition.next_offset,
        backlog=partition.backlog,
        plane=cast("Plane", _Empty()),
        settings=RoomSettings(display_rate=DISPLAY_RATE),
        limits={},
        clock=SystemClock(),
    )
    room.open([], [])
    partition.rooms[encoded.VIDEO] = room
    began_ms = time.time_ns() // 1_000_000
    batches = []
    for start in range(0, count, IN_A_BATCH):
        batch = encode_batch(
            events[start : start + IN_A_BATCH],
            now_ms=began_ms + 1000 * start // RATE,
            producer=(1, 1),
            sequence=start,
        )
        # A batch begins with its first offset, which Kafka writes in; no checksum covers it.
        batches.append(struct.pack(">q", start) + batch[8:])
    totals = [_totals(kept, number) for number in range(count // IN_A_BATCH)]
    del comments, events
    before = _resident()

    def read_comments(number: int) -> None:
        found = parse(batches[number], 0)
        assert found.end is not None  # noqa: S101 - narrows: it is one whole batch
        partition.accept_events(Batch(Topic.EVENTS, 0, found.records, found.end))

    comment_us = await _timed(read_comments, len(batches))
    grown = _resident() - before
    total_us = await _timed(lambda number: partition.accept_totals(totals[number]), len(totals))
    room.close()
    counted = sum(1 for _ in partition.backlog.newest(encoded.VIDEO))
    return Read(counted, comment_us, max(0.0, grown / count), total_us)


def _totals(ids: list[str], number: int) -> Batch:
    """Return a batch of ever newer totals, of each comment in turn."""
    records = []
    for index in range(IN_A_BATCH):
        offset = number * IN_A_BATCH + index
        comment_id = ids[offset % len(ids)]
        total = TotalsRecord(VERSION, encoded.VIDEO, comment_id, 0, 1, offset, (offset,))
        records.append(Record(offset, 0, total.key(), encode(total)))
    return Batch(Topic.TOTALS, 0, records, records[-1].offset + 1)


async def _timed(take: Callable[[int], None], count: int) -> float:
    """Take batches; return the CPU microseconds of a record. The room's ticks run in between."""
    began = time.process_time()
    for number in range(count):
        take(number)
        await asyncio.sleep(0)
    return 1e6 * (time.process_time() - began) / (count * IN_A_BATCH)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    print(msgspec.json.encode(asyncio.run(read(int(sys.argv[1])))).decode())  # noqa: T201 - whoever started it reads its stdout
