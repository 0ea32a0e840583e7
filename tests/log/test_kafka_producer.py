"""A producer that heals: Kafka and we disagree about a sequence, and nobody notices."""

import asyncio

import pytest

from groundswell.contract.ports.log import Topic
from groundswell.log import kafka_produce
from tests.log.harness.kafka_bench import append_all, wait_until

pytestmark = pytest.mark.stack


async def values_of(log):
    """Read a partition whole."""
    offset, end = await log.bounds(Topic.EVENTS, 0)
    found = []
    while offset < end:
        batch = await log.read(Topic.EVENTS, 0, offset)
        found += [int(record.value) for record in batch.records]
        offset = batch.end
    return found


async def test_a_lost_sequence_is_healed_with_another_producer_id(kafka):
    """Everything is acknowledged, once and in order, and appending goes on."""
    log = await kafka.started(await kafka.topics())
    await append_all(log, range(100))
    log._producer._lanes[Topic.EVENTS, 0]._sequence += 1000
    offsets = await append_all(log, range(100, 300))
    assert offsets == list(range(100, 300))
    assert await values_of(log) == list(range(300))
    assert log.statistics().producers == 2


async def test_lost_sequences_under_load_on_all_partitions_lose_nothing(kafka):
    """Time after time, while others write."""
    settings = await kafka.topics()
    log = await kafka.started(settings)
    done = []

    async def write(partition):
        for start in range(0, 1000, 20):
            offsets = await append_all(log, range(start, start + 20), partition=partition)
            assert offsets == sorted(offsets)
            done.append(partition)

    writing = asyncio.gather(*[write(partition) for partition in range(settings.partitions)])
    for breaks in range(1, 6):
        await wait_until(lambda at=breaks * 20: len(done) >= at)
        for lane in log._producer._lanes.values():
            lane._sequence += 7
    await writing
    for partition in range(settings.partitions):
        bounds = await log.bounds(Topic.EVENTS, partition)
        assert bounds == (0, 1000)


async def test_a_kafka_that_knows_no_ids_in_produce_is_written_to_by_name(kafka, monkeypatch):
    """Before Kafka 4.1."""
    unknown = kafka_produce.PRODUCE_BY_ID._replace(version=99)
    monkeypatch.setattr(kafka_produce, "PRODUCE_BY_ID", unknown)
    log = await kafka.started(await kafka.topics())
    assert await append_all(log, range(100)) == list(range(100))
    assert await values_of(log) == list(range(100))


async def test_the_bound_of_what_is_in_flight_holds(kafka):
    """However many write at once."""
    log = await kafka.started(await kafka.topics(in_flight=8))
    appends = asyncio.ensure_future(append_all(log, range(100)))
    most = 0
    while not appends.done():
        most = max(most, log.statistics().in_flight)
        await asyncio.sleep(0)
    assert await appends == list(range(100))
    assert 0 < most <= 8
