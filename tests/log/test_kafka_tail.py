"""Adding partitions to a tail while others are written: nothing twice, nothing left out."""

import asyncio

import pytest

from groundswell.contract.ports.log import Topic
from tests.log.harness.kafka_bench import Reading, append_all, wait_until

pytestmark = pytest.mark.stack
RECORDS = 2000


async def test_partitions_added_under_load_disturb_no_other(kafka):
    """Each is read from where it was told to, to its end."""
    settings = await kafka.topics(partitions=8)
    log = await kafka.started(settings)
    tail = log.tail()
    tail.follow(Topic.EVENTS, 0, 0)
    reading = Reading(tail)

    written = [0] * 8

    async def write(partition):
        for start in range(0, RECORDS, 50):
            await append_all(log, range(start, start + 50), partition=partition)
            written[partition] = start + 50

    writing = asyncio.gather(*[write(partition) for partition in range(8)])
    for partition in range(1, 8):
        await wait_until(lambda p=partition: len(reading.offsets(0)) >= 200 * p <= 20 * written[p])
        tail.follow(Topic.EVENTS, partition, 10 * partition)
    await writing
    await wait_until(
        lambda: all(reading.offsets(p)[-1:] == [RECORDS - 1] for p in range(8)) or reading.error
    )
    for partition in range(8):
        assert reading.offsets(partition) == list(range(10 * partition, RECORDS))
    await reading.stop()


async def test_a_hot_partition_is_not_held_up_by_idle_ones(kafka):
    """Reading far more than a tail keeps ahead takes no long poll a piece."""
    settings = await kafka.topics(partitions=8)
    log = await kafka.started(settings)
    total = 20_000
    for start in range(0, total, 2000):
        await append_all(log, range(start, start + 2000))
    tail = log.tail()
    for partition in range(8):
        tail.follow(Topic.EVENTS, partition, 0)
    reading = Reading(tail)
    await wait_until(lambda: len(reading.found) == total)
    assert reading.offsets(0) == list(range(total))
    await reading.stop()
