"""Topics of a test's own on the Kafka that the environment names."""

import asyncio
import os
import secrets
from collections.abc import Iterable

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from groundswell.contract.clock import SystemClock
from groundswell.contract.ports.log import COMPACTED, UNPARTITIONED, Appended, Topic
from groundswell.contract.settings import KafkaSettings
from groundswell.log.kafka_log import KafkaLog
from groundswell.log.kafka_topics import migrate_topics

PARTITIONS = 4
HOUR_MS = 3_600_000

# Compaction at once: every record its own segment, and tombstones are kept for no time.
AT_ONCE = {
    "segment.ms": "1",
    "min.cleanable.dirty.ratio": "0.0",
    "min.compaction.lag.ms": "0",
    "delete.retention.ms": "0",
}


def own_settings(**options: object) -> KafkaSettings:
    """Return settings with a prefix that nobody else has; skips where no Kafka is named."""
    servers = os.environ.get("GROUNDSWELL_KAFKA_SERVERS")
    if not servers:
        pytest.skip("GROUNDSWELL_KAFKA_SERVERS names no Kafka")
    values = {
        "servers": tuple(servers.split(",")),
        "prefix": f"test-{secrets.token_hex(6)}.",
        "partitions": PARTITIONS,
        "replication": 1,
        "min_insync": 1,
        "deadline": 10.0,  # what is slow here is the machine that runs the tests
    }
    return KafkaSettings(**(values | options))


async def make_topics(settings: KafkaSettings) -> None:
    """Make a log's topics and bind them."""
    await migrate_topics(settings, retention_ms=HOUR_MS, compaction=AT_ONCE)


async def delete_topics(settings: KafkaSettings, topics: Iterable[Topic] = Topic) -> None:
    """Delete a log's topics, by Kafka's own administration."""
    admin = AIOKafkaAdminClient(bootstrap_servers=list(settings.servers))
    await admin.start()
    names = [f"{settings.prefix}{topic}" for topic in topics]
    try:
        await admin.delete_topics(names)
        # Kafka's nodes hear of it by and by, and nobody tells us when.
        while set(names) & set(await admin.list_topics()):  # noqa: ASYNC110  no event to wait for
            await asyncio.sleep(0.01)
    finally:
        await admin.close()


async def make_anew(settings: KafkaSettings, topic: Topic) -> None:
    """Delete a topic and make it again under its name, by Kafka's own administration."""
    await delete_topics(settings, [topic])
    name = f"{settings.prefix}{topic}"
    partitions = 1 if topic in UNPARTITIONED else settings.partitions
    admin = AIOKafkaAdminClient(bootstrap_servers=list(settings.servers))
    await admin.start()
    try:
        while True:  # until Kafka is done with deleting
            reply = await admin.create_topics([NewTopic(name, partitions, 1)])
            if all(answer[1] == 0 for answer in reply.topic_errors):
                return
            await asyncio.sleep(0.01)
    finally:
        await admin.close()


async def fill_by_name(settings: KafkaSettings, topic: Topic, count: int) -> None:
    """Append to whatever topic has the name now, as a program would that knows no ids."""
    async with AIOKafkaProducer(bootstrap_servers=list(settings.servers)) as producer:
        for _ in range(count):
            await producer.send_and_wait(f"{settings.prefix}{topic}", b"new", partition=0)


class SegmentedLog(KafkaLog):
    """A log whose compacted topics have a segment a record, so that Kafka can compact them."""

    async def append(
        self, topic: Topic, partition: int, value: bytes | None, *, key: bytes | None = None
    ) -> Appended:
        """Append later than `segment.ms` after the record before."""
        if topic in COMPACTED:
            await asyncio.sleep(SEGMENT_S)
        return await super().append(topic, partition, value, key=key)


SEGMENT_S = 0.005


class Markers:
    """Writes markers of empty transactions: no reader sees them, and Kafka's cleaner moves on.

    Kafka compacts neither the segment that is written to nor what it has looked at before.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer = AIOKafkaProducer(
            bootstrap_servers=list(settings.servers), transactional_id=f"{settings.prefix}markers"
        )

    async def __aenter__(self) -> "Markers":
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def write(self, places: Iterable[tuple[Topic, int]]) -> None:
        """Write one marker into each partition."""
        async with self._producer.transaction():
            for topic, partition in places:
                # aiokafka has no other way to touch a partition without a record.
                self._producer._txn_manager.maybe_add_partition_to_txn(
                    TopicPartition(f"{self._settings.prefix}{topic}", partition)
                )


def new_log(settings: KafkaSettings, **options: object) -> KafkaLog:
    """Return a log that was not started."""
    return SegmentedLog(settings, clock=SystemClock(), **options)
