"""Every fault under load: nothing acknowledged is lost or doubled, no gap goes unsaid."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiokafka
import pytest
import redis

from deploy.local import Stack
from groundswell.contract.partition import partition_of
from groundswell.contract.ports.log import Topic
from tests.acceptance.cluster.harness.cycles import CYCLES, FULL, seeds
from tests.acceptance.cluster.harness.load import Load, judged, under_load
from tests.acceptance.cluster.harness.restarter import restarting
from tests.acceptance.harness.client import problem_of
from tests.acceptance.harness.cluster import Cluster
from tests.acceptance.harness.deploying import Figure
from tests.acceptance.harness.namespace import PARTITIONS
from tests.acceptance.harness.waiting import wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

CASSANDRA_DOWN_S = 120.0 if FULL else 15.0
POSTGRESQL_DOWN_S = 30.0 if FULL else 5.0
KAFKA_SILENT_S = 20.0 if FULL else 10.0
REFUSED_WITHIN_S = 8.0  # kafka.deadline is 5 s
SESSION_S = 10.0  # of a member of a consumer group
STOPPED_S = SESSION_S + 5.0
READY_WITHIN_S = 60.0
KILLS = 3
DURING_ACKS = 60  # acknowledged while an engine is away that writes do not need


async def redis_killed(load: Load, stack: Stack) -> None:
    """The cache is gone, and comes back empty."""
    await asyncio.to_thread(stack.kill, "redis")
    await load.acknowledged(DURING_ACKS)
    await restart(stack, "redis")


async def redis_flushed(load: Load, stack: Stack) -> None:
    """The cache forgets everything at once."""
    host, port = stack.addresses("redis")[0]
    with redis.Redis(host, port) as cache:
        await asyncio.to_thread(cache.flushall)
    await load.acknowledged(DURING_ACKS)


async def cassandra_down(load: Load, stack: Stack) -> None:
    """The store is away: comments go on and are live, the projection waits."""
    await asyncio.to_thread(stack.kill, "cassandra-1")
    acks = load.history.acks()
    await load.last(CASSANDRA_DOWN_S)
    assert load.history.acks() > acks + DURING_ACKS, "writes need the log only"
    await restart(stack, "cassandra-1")


async def postgresql_down(load: Load, stack: Stack) -> None:
    """The accounts are away: what their answers were known for goes on."""
    await asyncio.to_thread(stack.kill, "postgresql")
    acks = load.history.acks()
    await load.last(POSTGRESQL_DOWN_S)
    assert load.history.acks() > acks + DURING_ACKS, "writes need the log only"
    await restart(stack, "postgresql")


async def kafka_unreachable(load: Load, stack: Stack) -> None:
    """Kafka accepts connections and answers nothing: writes are refused in time, viewers stay."""
    returns = [viewer.returns for viewer in load.viewers]
    await asyncio.to_thread(stack.pause, "kafka-1")
    began = time.monotonic()
    sent = load.population.compose_probe(load.videos[0])
    load.history.unknown_comments.add(sent.ref)
    answer = await load.client.post_comment(sent.video, sent.user, sent.text, key=sent.ref)
    assert answer.status == 503, answer
    assert problem_of(answer) in {"outcome_unknown", "log_unavailable"}
    assert time.monotonic() - began < REFUSED_WITHIN_S, "a refusal took too long"
    await load.last(max(0.0, KAFKA_SILENT_S - (time.monotonic() - began)))
    assert [viewer.returns for viewer in load.viewers] == returns, "a viewer was cut"
    await asyncio.to_thread(stack.resume, "kafka-1")


async def kafka_killed(load: Load, stack: Stack) -> None:
    """The only Kafka node is killed and started again."""
    await asyncio.to_thread(stack.kill, "kafka-1")
    await load.last(2.0)
    await restart(stack, "kafka-1")


def killed(role: str) -> "Hurt":
    """Processes of a role are killed at random, and started again by whoever watches them."""

    async def hurt(load: Load, _: Stack) -> None:
        async with restarting(load.cluster) as restarted:
            for number in range(KILLS):
                await load.acknowledged(load.rng.randint(10, 80))
                os.kill(load.rng.choice(load.cluster.of(role)).server.pid, signal.SIGKILL)
                await wait_until(
                    lambda: len(restarted) > number,  # noqa: B023 - awaited at once
                    within=10,
                    what="a restart",
                )
                await ready(load.cluster)

    return hurt


async def persist_stopped(load: Load, _: Stack) -> None:
    """A worker sleeps for longer than its session, another takes over, and then it wakes."""
    worker = load.rng.choice(load.cluster.of("persist"))
    worker.server.send(signal.SIGSTOP)
    await load.last(STOPPED_S)
    worker.server.send(signal.SIGCONT)
    await load.acknowledged(DURING_ACKS)


async def poison_record(load: Load, stack: Stack) -> None:
    """Bytes that nobody can read, straight in Kafka: put aside, and the partition moves on."""
    stores, namespace = load.cluster.stores, load.cluster.namespace
    before = len(await asyncio.to_thread(stores.dead_letters))
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=namespace.engines.kafka_servers)
    await producer.start()
    try:
        for video in load.videos:
            for value in (b"\xc1poison", load.rng.randbytes(100)):
                await producer.send_and_wait(
                    namespace.topic(Topic.EVENTS),
                    value,
                    partition=partition_of(video, PARTITIONS),
                )
    finally:
        await producer.stop()
    await wait_until(
        lambda: len(stores.dead_letters()) >= before + 2 * len(load.videos),
        within=30,
        what="dead letters",
    )
    await load.acknowledged(DURING_ACKS)


async def restart(stack: Stack, node: str) -> None:
    """Start a node again and wait until it serves."""
    await asyncio.to_thread(stack.start, node)
    await asyncio.to_thread(stack.wait_healthy, node)


async def ready(cluster: Cluster) -> None:
    """Wait until every process is ready again."""

    async def attempt() -> bool:
        return await asyncio.to_thread(cluster.ready)

    began = time.monotonic()
    while not await attempt():
        assert time.monotonic() - began < READY_WITHIN_S, "never ready again"


Hurt = Callable[[Load, Stack], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """A fault, and whether it takes the memory of who was first with a key."""

    name: str
    hurt: Hurt
    keyed: bool = False

    def __str__(self) -> str:
        return self.name


FAULTS = [
    Fault("Redis killed", redis_killed, keyed=True),
    Fault("Redis flushed", redis_flushed, keyed=True),
    Fault(f"Cassandra down {CASSANDRA_DOWN_S:.0f} s", cassandra_down),
    Fault(f"PostgreSQL down {POSTGRESQL_DOWN_S:.0f} s", postgresql_down),
    Fault(f"Kafka silent {KAFKA_SILENT_S:.0f} s", kafka_unreachable),
    Fault("Kafka killed", kafka_killed),
    Fault("ingest killed", killed("ingest")),
    Fault("broker killed", killed("broker")),
    Fault("persist killed", killed("persist")),
    Fault("persist stopped past its session", persist_stopped),
    Fault("poison records", poison_record),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_fault_under_load_breaks_no_promise(
    cluster: Cluster, stack: Stack, figure: Figure, fault: Fault
) -> None:
    """I1 to I5 hold during and after it, and everything recovers by itself."""
    slowest_s = 0.0
    for number, seed in enumerate(seeds(fault.name)):
        name = f"{fault.name.replace(' ', '-')}-{number}"
        async with under_load(cluster, random.Random(seed), name=name, keyed=fault.keyed) as load:
            await fault.hurt(load, stack)
            recovery_s = await load.recovery()
            await judged(load, fault=fault.name, seed=seed, recovery_s=recovery_s)
        slowest_s = max(slowest_s, recovery_s)
    figure("cycles", CYCLES)
    figure("slowest recovery, s", f"{slowest_s:.1f}")
