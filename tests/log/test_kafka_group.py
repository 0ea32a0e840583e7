"""Groups on Kafka: hand-over, static membership, and who is not a member any more."""

import asyncio
import dataclasses

import pytest

from groundswell.contract.ports.log import LogError, Topic
from tests.log.harness.kafka_bench import Reading, append_all, wait_until

pytestmark = pytest.mark.stack
SESSION_S = 2.0


async def two_members(kafka, **options):
    """Return the settings, and the members of two processes, with what they lost."""
    settings = await kafka.topics()
    members = []
    for name in ("one", "two"):
        log = await kafka.started(with_member(settings, name), session_s=SESSION_S, **options)
        lost = []
        group = log.group("g", Topic.EVENTS, lost=lost.append)
        members.append((log, group, lost, Reading(group)))
        await wait_until(lambda group=group: group._owned)
    await wait_until(lambda: [len(group._owned) for _, group, _, _ in members] == [2, 2])
    return settings, members


def with_member(settings, name):
    """Return settings of a process with a name."""
    return dataclasses.replace(settings, member=name)


async def die(log, group):
    """End a member as a killed process does: without a word to Kafka."""
    group._member._task.cancel()
    await asyncio.wait([group._member._task])
    group._member._member = ""
    await log.close()


async def append_everywhere(log, values):
    """Append to every partition."""
    await asyncio.gather(*[append_all(log, values, partition=p) for p in range(4)])


async def test_a_member_that_leaves_hands_over_at_its_commits(kafka):
    """The other goes on there at once, without waiting for a session to end."""
    _, ((log, one, _, reading), (_, two, lost, other)) = await two_members(kafka)
    await append_everywhere(log, range(6))
    await wait_until(lambda: len(reading.found) + len(other.found) == 24)
    given = one._owned
    for partition in given:
        await one.commit(partition, 4)
    await reading.stop()
    await one.close()
    await wait_until(lambda: len(two._owned) == 4)
    await wait_until(lambda: all(other.offsets(p) == [4, 5] for p in given))
    assert lost == []
    await other.stop()


async def test_a_killed_member_that_is_back_in_time_disturbs_nobody(kafka):
    """It has its partitions again, at its commits; the other lost none and got none."""
    settings, ((log, one, _, reading), (_, two, lost, other)) = await two_members(kafka)
    await append_everywhere(log, range(3))
    await wait_until(lambda: len(reading.found) == 6)
    mine, theirs = one._owned, two._owned
    for partition in mine:
        await one.commit(partition, 2)
    await reading.stop()
    await die(log, one)
    log = await kafka.started(with_member(settings, "one"), session_s=SESSION_S)
    again = log.group("g", Topic.EVENTS)
    reading = Reading(again)
    await wait_until(lambda: len(reading.found) == 2)
    assert again._owned == mine
    assert {offset for _, offset, _ in reading.found} == {2}
    assert (two._owned, lost) == (theirs, [])
    for task in (reading, other):
        await task.stop()


async def test_a_member_cut_off_past_its_session_loses_and_comes_back(kafka):
    """The other takes over; back, it is told what it lost, and gets a share again."""
    settings = await kafka.topics()
    proxy = await kafka.proxy(settings)
    cut = await kafka.started(with_member(settings, "cut"), session_s=SESSION_S, through=proxy)
    lost = []
    one = cut.group("g", Topic.EVENTS, lost=lost.append)
    reading = Reading(one)
    await wait_until(lambda: len(one._owned) == 4)
    log = await kafka.started(with_member(settings, "two"), session_s=SESSION_S)
    two = log.group("g", Topic.EVENTS)
    other = Reading(two)
    await wait_until(lambda: len(two._owned) == len(one._owned) == 2)
    lost.clear()
    had = one._owned
    proxy.silence()
    await wait_until(lambda: len(two._owned) == 4)
    assert not one._member.fresh
    proxy.let_through()
    await wait_until(lambda: len(one._owned) == len(two._owned) == 2)
    assert sorted(had) == sorted(lost)
    await append_everywhere(log, range(2))
    await wait_until(lambda: len(reading.offsets(min(one._owned))) == 2 or reading.error)
    for task in (reading, other):
        await task.stop()


async def test_a_second_process_of_one_name_ends_the_first_with_words(kafka):
    """Kafka fences the older; it says which option to look at."""
    settings = await kafka.topics()
    readings = []
    for _ in range(2):
        log = await kafka.started(with_member(settings, "twin"), session_s=SESSION_S)
        group = log.group("g", Topic.EVENTS)
        readings.append(Reading(group))
        await wait_until(lambda group=group: len(group._owned) == 4)
    await wait_until(lambda: readings[0].error is not None)
    assert isinstance(readings[0].error, LogError)
    assert "kafka.member" in str(readings[0].error)
    assert readings[1].error is None
    await readings[1].stop()


async def test_a_slow_start_holds_up_its_own_partition_only(kafka):
    """Past the session's end too: the member stays in the group."""
    settings = await kafka.topics()
    log = await kafka.started(with_member(settings, "one"), session_s=SESSION_S)
    await append_everywhere(log, range(3))
    known = asyncio.Event()

    async def start_at(partition, _):
        if partition == 1:
            await known.wait()
        return 1

    lost = []
    group = log.group("g", Topic.EVENTS, start_at=start_at, lost=lost.append)
    reading = Reading(group)
    await wait_until(lambda: len(reading.found) == 6)
    joined = asyncio.get_running_loop().time()
    await wait_until(lambda: asyncio.get_running_loop().time() > joined + 1.5 * SESSION_S)
    assert group._member.fresh
    known.set()
    await wait_until(lambda: reading.offsets(1) == [1, 2])
    assert lost == []
    await reading.stop()
