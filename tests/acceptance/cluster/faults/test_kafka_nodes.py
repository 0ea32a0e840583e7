"""Three Kafka nodes, of which one is always missing: writes wait for a moment, nothing is lost."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from deploy.local import Plan, Stack
from tests.acceptance.cluster.harness.cycles import seeds
from tests.acceptance.cluster.harness.load import judged, under_load
from tests.acceptance.cluster.harness.own_cluster import own_cluster
from tests.acceptance.harness.cluster import Cluster
from tests.acceptance.harness.deploying import Figure
from tests.acceptance.harness.namespace import Engines

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

NODES = 3
PORTS_APART = 100  # from the stack that has the other engines
DURING_ACKS = 100


@pytest.fixture(scope="module")
def kafka(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Three Kafka nodes; the other engines are those of the stack."""
    plan = Plan(
        kafka=NODES,
        cassandra=0,
        redis=0,
        postgresql=0,
        base_port=stack.plan.base_port + PORTS_APART,
    )
    nodes = Stack(tmp_path_factory.mktemp("kafka"), plan=plan)
    nodes.up()
    yield nodes
    nodes.down(wipe=True)


@pytest.fixture(scope="module")
def wide_cluster(
    stack: Stack, kafka: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A cluster whose log has three replicas, of which two must have a record."""
    variables = stack.environment() | kafka.environment()
    engines = Engines.of(variables, kafka_nodes=NODES)
    yield from own_cluster(engines, tmp_path_factory.mktemp("wide"))


async def test_a_kafka_node_killed_under_load_breaks_no_promise(
    wide_cluster: Cluster, kafka: Stack, figure: Figure
) -> None:
    """One of three is killed; the others take over its partitions, and it comes back."""
    fault = "one Kafka node of three killed"
    slowest_s = 0.0
    for number, seed in enumerate(seeds(fault)):
        rng = random.Random(seed)
        async with under_load(wide_cluster, rng, name=f"node-{number}") as load:
            node = rng.choice(list(kafka.nodes))
            await asyncio.to_thread(kafka.kill, node)
            recovery_s = await load.recovery()
            await load.acknowledged(DURING_ACKS)
            await asyncio.to_thread(kafka.start, node)
            await asyncio.to_thread(kafka.wait_healthy, node)
            await judged(load, fault=fault, seed=seed, recovery_s=recovery_s)
        slowest_s = max(slowest_s, recovery_s)
    figure("slowest recovery with two nodes, s", f"{slowest_s:.1f}")


async def test_all_kafka_nodes_restarted_in_turn_under_load_break_no_promise(
    wide_cluster: Cluster, kafka: Stack, figure: Figure
) -> None:
    """As an upgrade does it: one after the other, politely."""
    fault = "all Kafka nodes restarted in turn"
    slowest_s = 0.0
    for number, seed in enumerate(seeds(fault)):
        async with under_load(wide_cluster, random.Random(seed), name=f"turn-{number}") as load:
            for node in kafka.nodes:
                await asyncio.to_thread(kafka.stop, node)
                await load.acknowledged(DURING_ACKS)
                await asyncio.to_thread(kafka.start, node)
                await asyncio.to_thread(kafka.wait_healthy, node)
                recovery_s = await load.recovery()
                slowest_s = max(slowest_s, recovery_s)
            await judged(load, fault=fault, seed=seed, recovery_s=recovery_s)
    figure("slowest recovery, s", f"{slowest_s:.1f}")
