"""One partition's way to Kafka: what waits, and the one batch that is under way.

A lane sends the next batch when the last was answered, so batches grow with the load by
themselves and Kafka's order is ours. Sequence numbers let Kafka drop what it is sent twice.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from groundswell.contract.ports.log import Appended, Topic
from groundswell.log.kafka_records import BatchBuilder, encode_batch


class Producer(NamedTuple):
    """What Kafka knows a sender of sequences by."""

    id: int
    epoch: int


class Waiting(NamedTuple):
    """A record whose caller waits, until `expires` (the loop's time) at most."""

    done: "asyncio.Future[Appended]"
    key: bytes | None
    value: bytes | None
    expires: float


@dataclass(slots=True, eq=False)
class Sending:
    """A batch, from when it was made to its answer; `doubtful`: Kafka may have appended it."""

    waiting: list[Waiting]
    producer: Producer
    sequence: int
    data: bytes
    doubtful: bool = False
    sequence_lost: bool = False  # to be sent under another producer

    @property
    def expires(self) -> float:
        return self.waiting[0].expires


class Lane:
    """The records of one partition on their way."""

    def __init__(self, topic: Topic, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.waiting: deque[Waiting] = deque()
        self.sending: Sending | None = None
        self._producer: Producer | None = None
        self._sequence = 0

    def next_batch(self, producer: Producer, records_max: int, *, now_ms: int) -> Sending:
        """Make a batch of what waits and let it be what is sent; there must be some."""
        self._adopt(producer)
        builder = BatchBuilder(now_ms=now_ms)
        taken: list[Waiting] = []
        while self.waiting and len(taken) < records_max:
            _, key, value, _ = self.waiting[0]
            if not builder.add(key, value):
                break
            taken.append(self.waiting.popleft())
        data = builder.build(*producer, self._sequence)
        self.sending = Sending(taken, producer, self._sequence, data)
        self._sequence += len(taken)
        return self.sending

    def begin_again(self, producer: Producer, *, now_ms: int) -> None:
        """Give the batch under way to a new producer: Kafka lost the sequence of the old one."""
        sending = self.sending
        if sending is None:
            return
        self._adopt(producer)
        records = ((record.key, record.value) for record in sending.waiting)
        sending.data = encode_batch(
            records,
            now_ms=now_ms,
            producer=producer,
            sequence=self._sequence,
        )
        sending.producer, sending.sequence = producer, self._sequence
        sending.sequence_lost = False
        self._sequence += len(sending.waiting)

    def answered(self) -> None:
        """Forget the batch: Kafka has it."""
        self.sending = None

    def refused(self) -> None:
        """Forget the batch: Kafka has not got it, nor counted it."""
        if self.sending is not None:
            self._sequence = self.sending.sequence
        self.sending = None

    def abandon(self) -> None:
        """Forget the batch, whatever came of it; the next needs a sequence of its own."""
        self.sending = None
        self._producer = None

    def _adopt(self, producer: Producer) -> None:
        if producer != self._producer:
            self._producer, self._sequence = producer, 0
