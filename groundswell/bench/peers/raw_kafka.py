"""The limit for latency: a record straight into Kafka and out again, by aiokafka.

Open loop: record k is due at start + k/rate, and its latency counts from then until the consumer
has it. Prints one line of JSON: milliseconds, how many came, CPU seconds.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition  # type: ignore[import-untyped]  # no types
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]  # no types

RECORD_BYTES = 400  # as an event of a comment
LAST_SECONDS = 2.0  # that the last records may take


async def make_topic(servers: str, topic: str) -> None:
    """Make the topic, with one partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def consume(consumer: AIOKafkaConsumer, latencies: list[float]) -> None:
    """Note when each record came, for ever."""
    while True:
        for records in (await consumer.getmany(timeout_ms=1000)).values():
            now = time.monotonic_ns()
            latencies += [(now - int(record.value[:20])) / 1e6 for record in records]


async def produce(producer: AIOKafkaProducer, topic: str, *, rate: float, count: int) -> None:
    """Send so many records when each is due, without waiting for acknowledgements."""
    start = time.monotonic_ns()
    padding = b" " * (RECORD_BYTES - 20)
    for number in range(count):
        due = start + int(number * 1e9 / rate)
        if (rest := (due - time.monotonic_ns()) / 1e9) > 0:
            await asyncio.sleep(rest)
        await producer.send(topic, b"%020d" % due + padding, partition=0)
    await producer.flush()


async def measure(servers: str, topic: str, *, rate: float, seconds: float) -> dict[str, object]:
    """Run once; returns what is printed."""
    await make_topic(servers, topic)
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    async with producer, consumer:
        latencies: list[float] = []
        consuming = asyncio.create_task(consume(consumer, latencies))
        await produce(producer, topic, rate=rate, count=int(rate))  # a second to warm up
        await asyncio.sleep(LAST_SECONDS)
        latencies.clear()
        cpu = time.process_time()
        count = int(rate * seconds)
        await produce(producer, topic, rate=rate, count=count)
        cpu = time.process_time() - cpu
        await asyncio.sleep(LAST_SECONDS)
        consuming.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await consuming
    latencies.sort()
    return {
        "sent": count,
        "came": len(latencies),
        "p50": latencies[len(latencies) // 2],
        "p99": latencies[len(latencies) * 99 // 100],
        "max": latencies[-1],
        "cpu_seconds": cpu,
    }


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser()
    for name, kind in (("servers", str), ("topic", str), ("rate", float), ("seconds", float)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    given = parser.parse_args()
    saw = uvloop.run(measure(given.servers, given.topic, rate=given.rate, seconds=given.seconds))
    sys.stdout.write(json.dumps(saw) + "\n")


if __name__ == "__main__":
    main()
