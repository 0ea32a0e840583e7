"""Kafka that is silent, gone and back: every call ends in bounded time and says what is known."""

import asyncio

import pytest

from groundswell.contract.ports.log import LogUnavailable, OutcomeUnknown, Topic
from tests.log.harness.kafka_bench import Reading, append_all, wait_until

pytestmark = pytest.mark.stack
DEADLINE_S = 1.0


async def answers_of(log, count):
    """Append at once and return what came of each."""
    return await asyncio.gather(
        *[log.append(Topic.EVENTS, 0, b"x") for _ in range(count)], return_exceptions=True
    )


async def test_silence_leaves_what_was_sent_unknown_and_then_fails_at_once(kafka):
    """And what waited behind it was certainly not appended; back again, all works as before."""
    settings = await kafka.topics(deadline=DEADLINE_S, in_flight=10)
    proxy = await kafka.proxy(settings)
    log = await kafka.started(settings, through=proxy)
    await append_all(log, range(20))
    proxy.silence()
    loop = asyncio.get_running_loop()
    began = loop.time()
    answers = await answers_of(log, 30)
    assert loop.time() - began < DEADLINE_S + 1
    assert [type(answer) for answer in answers] == [OutcomeUnknown] * 10 + [LogUnavailable] * 20
    await wait_until(lambda: not log._nodes.reachable)
    began = loop.time()
    with pytest.raises(LogUnavailable):
        await log.append(Topic.EVENTS, 0, b"x")
    with pytest.raises(LogUnavailable):
        await log.read(Topic.EVENTS, 0, 0)
    assert loop.time() - began < DEADLINE_S + 1
    assert not log.writable()
    proxy.let_through()
    began = loop.time()
    await wait_until(log.writable)
    await append_all(log, range(200))
    assert loop.time() - began < 4
    assert log.statistics().in_flight == log.statistics().queue_depth == 0


async def test_a_short_cut_loses_and_changes_nothing(kafka):
    """What was under way is sent again under its sequence: once in the log, in order."""
    settings = await kafka.topics()
    proxy = await kafka.proxy(settings)
    log = await kafka.started(settings, through=proxy)
    tail = log.tail()
    tail.follow(Topic.EVENTS, 0, 0)
    values = []

    async def write():
        for start in range(0, 3000, 50):
            await append_all(log, range(start, start + 50))
            values.extend(range(start, start + 50))

    writing = asyncio.create_task(write())
    await wait_until(lambda: len(values) > 500)
    await proxy.stop()
    await proxy.start()
    await writing
    offset, found = 0, []
    while offset < 3000:
        batch = await log.read(Topic.EVENTS, 0, offset)
        found += [int(record.value) for record in batch.records]
        offset = batch.end
    assert found == list(range(3000))
    await tail.close()


async def test_a_tail_continues_where_it_was(kafka):
    """Its call says that Kafka is away; the next goes on without gap or repetition."""
    settings = await kafka.topics()
    proxy = await kafka.proxy(settings)
    log = await kafka.started(settings, through=proxy)
    writer = await kafka.started(settings)
    tail = log.tail()
    tail.follow(Topic.EVENTS, 0, 0)
    before = Reading(tail)
    await append_all(writer, range(50))
    await wait_until(lambda: len(before.found) == 50)
    await proxy.stop()
    await wait_until(lambda: before.error is not None)
    assert isinstance(before.error, LogUnavailable)
    await append_all(writer, range(50, 100))
    await proxy.start()
    await wait_until(lambda: log._nodes.reachable)
    offsets = before.offsets(0)
    async with asyncio.timeout(20):
        while len(offsets) < 100:
            try:
                batches = await tail.next_batches()
            except LogUnavailable:
                continue
            offsets += [record.offset for batch in batches for record in batch.records]
    assert offsets == list(range(100))


async def test_unreachable_at_the_start_may_be_tried_again_on_the_same_object(kafka):
    """`LogUnavailable` in bounded time, and then it starts."""
    settings = await kafka.topics(deadline=DEADLINE_S)
    proxy = await kafka.proxy(settings)
    log = kafka.log(settings, through=proxy)
    proxy.silence()
    began = asyncio.get_running_loop().time()
    with pytest.raises(LogUnavailable):
        await log.start()
    await proxy.stop()
    with pytest.raises(LogUnavailable):
        await log.start()
    assert asyncio.get_running_loop().time() - began < 5
    proxy.let_through()
    await proxy.start()
    await log.start()
    await append_all(log, range(3))
