"""Topics that were deleted and made anew are never taken for the ones that were bound."""

import asyncio

import pytest

from groundswell.contract.ports.log import LogError, LogReplaced, Topic
from groundswell.log.kafka_topics import migrate_topics
from tests.log.harness.kafka_bench import Reading, append_all, wait_until
from tests.log.harness.own_kafka import (
    HOUR_MS,
    delete_topics,
    fill_by_name,
    make_anew,
    own_settings,
)

pytestmark = pytest.mark.stack


async def test_a_topic_made_anew_under_a_live_log_is_noticed_and_never_read(kafka):
    """Within about a second; then everything says so, and nothing of the new one was given."""
    settings = await kafka.topics()
    log = await kafka.started(settings)
    await append_all(log, range(10))
    tail = log.tail()
    tail.follow(Topic.EVENTS, 0, 0)
    reading = Reading(tail)
    await wait_until(lambda: len(reading.found) == 10)
    await make_anew(settings, Topic.EVENTS)
    made = asyncio.get_running_loop().time()
    await fill_by_name(settings, Topic.EVENTS, 30)
    await wait_until(log.replaced)
    assert asyncio.get_running_loop().time() - made < 3
    await wait_until(lambda: reading.error is not None)
    assert isinstance(reading.error, LogReplaced)
    assert [value for _, _, value in reading.found] == [b"%d" % n for n in range(10)]
    for refused in (log.append(Topic.REACTIONS, 0, b"x"), log.read(Topic.EVENTS, 0, 0)):
        with pytest.raises(LogReplaced, match="groundswell migrate"):
            await refused
    assert not log.writable()


async def test_topics_made_anew_are_refused_until_they_are_bound_again(kafka):
    """The generation grows by one, and once only."""
    settings = await kafka.topics()
    log = await kafka.started(settings)
    epoch = log.epoch(Topic.EVENTS)
    assert log.generation() == 1
    await log.close()
    await make_anew(settings, Topic.EVENTS)
    with pytest.raises(LogReplaced, match="groundswell migrate"):
        await kafka.log(settings).start()
    for bound in (True, False):
        migrated = await migrate_topics(settings, retention_ms=HOUR_MS)
        assert (migrated.made, migrated.generation, migrated.bound) == ((), 2, bound)
    log = await kafka.started(settings)
    assert log.generation() == 2
    assert log.epoch(Topic.EVENTS) != epoch


async def test_a_lost_control_topic_does_not_take_the_generation_back(kafka):
    """What a store was fed from last is told to `migrate` where `control` cannot say it."""
    settings = await kafka.topics()
    await delete_topics(settings, [Topic.CONTROL])
    migrated = await migrate_topics(settings, retention_ms=HOUR_MS, known_generation=7)
    assert (migrated.made, migrated.generation) == ((f"{settings.prefix}control",), 7)


async def test_no_topics_and_other_sizes_are_refused(kafka):
    """With what to do about it."""
    with pytest.raises(LogReplaced, match="groundswell migrate"):
        await kafka.log(own_settings()).start()
    settings = await kafka.topics()
    larger = own_settings(prefix=settings.prefix, partitions=settings.partitions + 1)
    with pytest.raises(LogReplaced, match=r"kafka\.partitions"):
        await kafka.log(larger).start()
    with pytest.raises(LogReplaced, match=r"kafka\.partitions"):
        await migrate_topics(larger, retention_ms=HOUR_MS)


async def test_more_replicas_than_nodes_cannot_be_made(kafka):
    """Kafka says so in its reply, and we in words."""
    with pytest.raises(LogError, match=r"set kafka\.replication"):
        await migrate_topics(own_settings(replication=9), retention_ms=HOUR_MS)
    with pytest.raises(LogError, match=r"kafka\.min_insync"):
        await migrate_topics(own_settings(min_insync=2), retention_ms=HOUR_MS)
