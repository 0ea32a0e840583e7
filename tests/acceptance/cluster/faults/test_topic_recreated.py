"""A topic deleted and made anew below the servers: old positions never match again."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from deploy.local import Stack
from groundswell.contract.ports.log import Topic
from tests.acceptance.cluster.harness.cycles import seeds
from tests.acceptance.cluster.harness.own_cluster import own_cluster
from tests.acceptance.cluster.harness.results import Row
from tests.acceptance.harness.audit import audit
from tests.acceptance.harness.client import Client, connect
from tests.acceptance.harness.cluster import Cluster
from tests.acceptance.harness.deploying import Figure
from tests.acceptance.harness.history import History
from tests.acceptance.harness.namespace import PARTITIONS, Engines
from tests.acceptance.harness.scale import scaled
from tests.acceptance.harness.viewers import EventStream, SocketStream, Viewer
from tests.acceptance.harness.waiting import wait_until
from tests.acceptance.harness.writers import Writer

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]

TOOL = "org.apache.kafka.tools.TopicCommand"
BEFORE, AFTER = 60, 200  # comments on the old topic, and on the new one: past the old offsets
NOTICED_WITHIN_S = 60.0


@pytest.fixture
def small_cluster(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose topics may go."""
    yield from own_cluster(
        Engines.of(stack.environment()),
        tmp_path_factory.mktemp("recreated"),
        counts={"ingest": 1, "broker": 2, "persist": 1},
    )


async def write(client: Client, history: History, video: str, count: int) -> list[str]:
    """Post comments; return the position after each."""
    writer = Writer(client, history, random.Random(0), user="ada", videos=[video])
    positions = []
    for number in range(count):
        sent = writer.compose(video)
        answer = await client.post_comment(video, "ada", f"{number} {sent.text}", key=sent.ref)
        assert answer.status == 201, answer
        history.accept(sent, answer.json()["commentID"], answer.position)
        positions.append(answer.position)
    return positions


async def test_no_old_position_is_recovered_on_a_topic_made_anew(
    small_cluster: Cluster, stack: Stack, figure: Figure
) -> None:
    """Every process stops by itself; after `migrate` each resume begins with a snapshot."""
    cluster, video = small_cluster, "recreated"
    fault = "topic events made anew"
    seed = next(seeds(fault))
    rng = random.Random(seed)
    topic = cluster.namespace.topic(Topic.EVENTS)
    async with connect(cluster) as client:
        old = await write(client, History(), video, BEFORE)
        await asyncio.to_thread(stack.kafka_tool, TOOL, "--delete", "--topic", topic)
        await asyncio.to_thread(
            stack.kafka_tool,
            TOOL,
            "--create",
            *("--topic", topic, "--partitions", str(PARTITIONS), "--replication-factor", "1"),
        )
        await wait_until(
            lambda: not any(one.server.alive() for one in cluster.roles),
            within=NOTICED_WITHIN_S,
            what="the end of all processes",
        )
        assert {one.server.wait() for one in cluster.roles} == {1}
        await asyncio.to_thread(cluster.namespace.migrate)
        await asyncio.to_thread(cluster.start)

        history = History()
        await write(client, history, video, AFTER)
        recovered, tries = 0, scaled(100, full=1000)
        for number in range(tries):
            door = cluster.of("broker")[number % 2].entrance
            transport = rng.choice([SocketStream, EventStream])
            viewer = Viewer(door, video, transport=transport)
            await viewer.open(rng.choice(old))
            recovered += viewer.seen.recovered[-1]
            await viewer.cut()
        violations = await audit(cluster, client, history, video)
        violations += ["I4 an old position was recovered"] * recovered
    Row.of(fault, seed, acks=BEFORE + AFTER, violations=violations, recovery_s=None).record()
    figure("resumes with an old position", f"{tries}, recovered {recovered}")
    assert violations == []
