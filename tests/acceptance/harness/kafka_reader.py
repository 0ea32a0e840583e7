"""Reads topics of a namespace with a consumer of our own, each record once."""

from collections import defaultdict
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from groundswell.contract.ports.log import Topic
from tests.acceptance.harness.namespace import Namespace, run_blocking


class Raw(NamedTuple):
    """A record as Kafka has it."""

    offset: int
    key: bytes | None
    value: bytes | None


class KafkaReader:
    """Keeps what it has read; every call adds what came since. Methods block."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._records: defaultdict[tuple[Topic, int], list[Raw]] = defaultdict(list)
        self._next: dict[tuple[Topic, int], int] = {}

    def records(self, topic: Topic, partition: int) -> list[Raw]:
        """Return all records of a partition, up to its present end."""
        run_blocking(self._read(topic, partition))
        return self._records[topic, partition]

    async def _read(self, topic: Topic, partition: int) -> None:
        place = TopicPartition(self._namespace.topic(topic), partition)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._namespace.engines.kafka_servers,
            auto_offset_reset="none",
            fetch_max_wait_ms=50,
        )
        await consumer.start()
        try:
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            first = (await consumer.beginning_offsets([place]))[place]
            at = max(first, self._next.get((topic, partition), 0))
            consumer.seek(place, at)
            while at < end:
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    for one in batch:
                        self._records[topic, partition].append(Raw(one.offset, one.key, one.value))
                at = await consumer.position(place)
            self._next[topic, partition] = at
        finally:
            await consumer.stop()
