"""Every post three times at once to two nodes: one row each, with Redis and without."""

import asyncio
import random
from collections import Counter

import pytest

from deploy.local import Stack
from tests.acceptance.cluster.harness.cycles import seeds
from tests.acceptance.cluster.harness.results import Row
from tests.acceptance.cluster.harness.tenacious import GONE, RETRY_S
from tests.acceptance.harness import checker
from tests.acceptance.harness.client import Client, connect
from tests.acceptance.harness.cluster import Cluster
from tests.acceptance.harness.deploying import Figure
from tests.acceptance.harness.scale import scaled
from tests.acceptance.harness.waiting import wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

WORKERS = 16
STORED_WITHIN_S = 120.0


class Storm:
    """Posts with keys, each sent three times at once; `ids` are what the answers named."""

    def __init__(self, doors: list[Client], *, video: str, total: int) -> None:
        self.video = video
        self.total = total
        self.ids: dict[str, set[str]] = {}
        self.retries = 0
        self._doors = doors

    async def run(self) -> None:
        """Send everything; returns when each of the three has a 201."""
        await asyncio.gather(*(self._work(worker) for worker in range(WORKERS)))

    async def _work(self, worker: int) -> None:
        first, second = self._doors
        for number in range(worker, self.total, WORKERS):
            key = f"key.{number}"
            answers = await asyncio.gather(
                *(self._post(door, f"user{worker}", key) for door in (first, second, first))
            )
            self.ids[key] = set(answers)

    async def _post(self, door: Client, user: str, key: str) -> str:
        while True:
            try:
                answer = await door.post_comment(self.video, user, f"text of {key}", key=key)
            except GONE:
                answer = None
            if answer is not None and answer.status == 201:
                return str(answer.json()["commentID"])
            assert answer is None or answer.status == 503, answer
            self.retries += 1
            await asyncio.sleep(RETRY_S)

    def judge(self, rows: list[tuple[str, str | None]], order: list[str]) -> checker.Violations:
        """Hold the rows in Cassandra and GET's order against what was sent."""
        times = Counter(key for _, key in rows)
        violations = [f"I1 {key} has no row" for key in self.ids if not times[key]]
        violations += [f"I2 {key} has {n} rows" for key, n in times.items() if n > 1]
        if [comment_id for comment_id, _ in rows] != order:
            violations.append("I3 the rows are not in the order of GET")
        return violations


@pytest.mark.parametrize("lost", [False, True], ids=["with-redis", "redis-killed-meanwhile"])
async def test_a_post_that_is_sent_three_times_at_once_is_one_row(
    cluster: Cluster, stack: Stack, figure: Figure, *, lost: bool
) -> None:
    """With Redis all three answers name the row's id; without it the key still has one row."""
    fault = f"each post three times at once{', Redis killed meanwhile' if lost else ''}"
    for number, seed in enumerate(seeds(fault)):
        rng = random.Random(seed)
        video = f"storm-{'lost' if lost else 'kept'}-{number}"
        async with (
            connect(cluster.of("ingest")[0].entrance) as one,
            connect(cluster.of("ingest")[1].entrance) as two,
            connect(cluster) as reading,
        ):
            storm = Storm([one, two], video=video, total=scaled(1000, full=10_000))
            running = asyncio.create_task(storm.run())
            if lost:
                await reached(storm, rng.uniform(0.2, 0.5))
                await asyncio.to_thread(stack.kill, "redis")
                await reached(storm, rng.uniform(0.6, 0.8))
                await asyncio.to_thread(stack.start, "redis")
            await running
            await wait_until(
                lambda: len(cluster.stores.comments(video)) >= storm.total,  # noqa: B023
                within=STORED_WITHIN_S,
                what="all rows",
            )
            rows = await asyncio.to_thread(cluster.stores.comments, video)
            order = [comment["commentID"] for comment in await reading.every_comment(video)]
        violations = storm.judge(rows, order)
        if not lost:
            named = {key: ids for key, ids in storm.ids.items() if len(ids) != 1}
            violations += [f"I2 {key} was answered with {ids}" for key, ids in named.items()]
        Row.of(fault, seed, acks=3 * storm.total, violations=violations, recovery_s=None).record()
        assert violations == [], (seed, violations[:20])
    figure("posts", storm.total)
    figure("repeated after a refusal", storm.retries)


async def reached(storm: Storm, share: float) -> None:
    """Wait until so much of a storm is answered."""
    await wait_until(
        lambda: len(storm.ids) >= share * storm.total, within=300, what="the storm's middle"
    )
