"""Record batches: records to bytes and back."""

from collections.abc import Iterable
from typing import NamedTuple

from aiokafka.record.default_records import DefaultRecordBatchBuilder  # type: ignore[import-untyped]  # it ships none
from aiokafka.record.memory_records import MemoryRecords  # type: ignore[import-untyped]  # it ships none

from groundswell.contract.ports.log import LogUnavailable, Record

BATCH_BYTES_MAX = 256 * 1024
_MAGIC = 2
_NO_COMPRESSION = 0  # aiokafka's codecs need another library; a comment has little to gain


class Parsed(NamedTuple):
    """What a reply of Kafka holds of one partition; `end` None: not one whole batch."""

    records: list[Record]
    end: int | None


class BatchBuilder:
    """Gathers records for one request to one partition."""

    def __init__(self, *, now_ms: int) -> None:
        self._now_ms = now_ms
        self._builder = DefaultRecordBatchBuilder(
            _MAGIC, _NO_COMPRESSION, 0, -1, -1, 0, BATCH_BYTES_MAX
        )
        self.count = 0

    def add(self, key: bytes | None, value: bytes | None) -> bool:
        """Add a record; False: it is full. The first always fits."""
        if self._builder.append(self.count, self._now_ms, key, value, []) is None:
            return False
        self.count += 1
        return True

    def build(self, producer_id: int, epoch: int, sequence: int) -> bytes:
        """Return the bytes; may be called once."""
        self._builder.set_producer_state(producer_id, epoch, sequence)
        return bytes(self._builder.build())


def encode_batch(
    records: Iterable[tuple[bytes | None, bytes | None]],
    *,
    now_ms: int,
    producer: tuple[int, int],
    sequence: int,
) -> bytes:
    """Return a batch of `(key, value)` that are known to fit."""
    builder = BatchBuilder(now_ms=now_ms)
    for key, value in records:
        builder.add(key, value)
    return builder.build(*producer, sequence)


def parse(data: bytes, offset: int) -> Parsed:
    """Read the batches of one partition from an offset on; a cut last batch is left out."""
    records: list[Record] = []
    end = None
    batches = MemoryRecords(data)
    while batches.has_next():
        batch = batches.next_batch()
        if not batch.validate_crc():
            raise LogUnavailable(f"a batch at offset {batch.base_offset} is damaged")
        if not batch.is_control_batch:
            records += [
                Record(found.offset, found.timestamp, found.key, found.value)
                for found in batch
                if found.offset >= offset
            ]
        end = batch.next_offset
    return Parsed(records, end)
