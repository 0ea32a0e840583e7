"""A load on a cluster that goes on through a fault, and the check after it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.acceptance.cluster.harness.results import Row
from tests.acceptance.cluster.harness.tenacious import GONE, TenaciousPopulation, TenaciousViewer
from tests.acceptance.harness.audit import audit
from tests.acceptance.harness.checker import Violations
from tests.acceptance.harness.client import Client, Comment, connect
from tests.acceptance.harness.cluster import Cluster
from tests.acceptance.harness.history import Sent
from tests.acceptance.harness.waiting import wait_for_result, wait_until

BEFORE_ACKS = 60  # acknowledged before a fault begins
SETTLES_WITHIN_S = 60.0
RECOVERS_WITHIN_S = 90.0  # of a cold Cassandra beside everything else on two cores
CONVERGES_WITHIN_S = 60.0


class Load:
    """Writers through nginx, and a viewer on each broker for each video."""

    def __init__(
        self, cluster: Cluster, client: Client, rng: random.Random, *, name: str, keyed: bool
    ) -> None:
        self.cluster = cluster
        self.client = client
        self.rng = rng
        self.videos = [f"{name}-a", f"{name}-b"]
        self.population = TenaciousPopulation(cluster, client, rng, name=name, videos=self.videos)
        self.history = self.population.history
        self.viewers = [
            TenaciousViewer(broker.entrance, video)
            for video in self.videos
            for broker in cluster.of("broker")
        ]
        self._keyed = keyed  # the cache is lost: judged by key

    async def start(self) -> None:
        """Connect everybody, and wait until some writes have been acknowledged."""
        await asyncio.gather(*(viewer.start() for viewer in self.viewers))
        await self.population.start()
        await self.acknowledged(BEFORE_ACKS)

    async def acknowledged(self, more: int, *, within: float = 60.0) -> None:
        """Wait for so many further acknowledgements."""
        wanted = self.history.acks() + more
        await wait_until(lambda: self.history.acks() >= wanted, within=within, what="load")

    async def last(self, seconds: float) -> None:
        """Let the load run for a time: for faults that are defined by how long they last."""
        began = time.monotonic()
        await wait_until(
            lambda: time.monotonic() - began >= seconds, within=seconds + 5, what="time"
        )

    async def recovery(self) -> float:
        """Return how long it takes until all works again, in seconds.

        That is: a new comment on each video is acknowledged, shown by both brokers, and a row in
        Cassandra.
        """
        began = time.monotonic()
        for video in self.videos:
            await self._probe(video)
        return time.monotonic() - began

    async def _probe(self, video: str) -> None:
        sent = self.population.compose_probe(video)
        ref = sent.ref

        async def acknowledged() -> bool | None:
            try:
                await self.population.probe(sent)
            except GONE:
                return None
            return True if sent.comment_id else None

        await wait_for_result(acknowledged, within=RECOVERS_WITHIN_S, what="an acknowledgement")
        for one in self.viewers:
            if one.video == video:
                await one.viewer.wait_for(
                    lambda seen: (
                        any(c.get("ref") == ref for c in seen.comments.values())
                        or is_beyond(seen.position, sent)
                    ),
                    within=RECOVERS_WITHIN_S,
                    what="the comment on a screen",
                )

        async def stored() -> bool | None:
            rows = await asyncio.to_thread(self.cluster.stores.comments, video)
            return True if ref in {found for _, found in rows} else None

        await wait_for_result(stored, within=RECOVERS_WITHIN_S, what="the row")

    async def check(self) -> Violations:
        """End the load, repeat what is in doubt, and hold everything against everything."""
        await self.population.stop()
        await self.population.settle(within=SETTLES_WITHIN_S)
        violations: Violations = []
        for video in self.videos:
            comments = await self._read(video)
            if self._keyed:
                self.history.take_ids((one["commentID"], one.get("ref")) for one in comments)
            violations += await audit(
                self.cluster,
                self.client,
                self.history,
                video,
                viewers=[one.viewer for one in self.viewers if one.video == video],
                within=CONVERGES_WITHIN_S,
            )
        return violations

    async def _read(self, video: str) -> list[Comment]:
        async def attempt() -> list[Comment] | None:
            try:
                return await self.client.every_comment(video)
            except (*GONE, AssertionError):
                return None  # 503 while a broker opens the partition again

        return await wait_for_result(attempt, within=SETTLES_WITHIN_S, what="reads")

    async def close(self) -> None:
        """Let go of everything."""
        await self.population.stop()
        await asyncio.gather(*(viewer.stop() for viewer in self.viewers))


def is_beyond(position: str | None, sent: Sent) -> bool:
    """Tell whether a viewer is past a comment, which a fresh snapshot need not hold any more.

    Whether what it was not shown was said to be missing is for `check` to find out.
    """
    if position is None or sent.offset is None:
        return False
    return int(position.partition(":")[2]) >= sent.offset


@asynccontextmanager
async def under_load(
    cluster: Cluster, rng: random.Random, *, name: str, keyed: bool = False
) -> AsyncIterator[Load]:
    """Have a cluster under load while the block runs."""
    async with connect(cluster) as client:
        load = Load(cluster, client, rng, name=name, keyed=keyed)
        try:
            await load.start()
            yield load
        finally:
            await load.close()


async def judged(load: Load, *, fault: str, seed: str, recovery_s: float | None) -> Row:
    """Check a load after its fault, record the row, and fail on any violation."""
    violations = await load.check()
    acks = load.history.acks()
    row = Row.of(fault, seed, acks=acks, violations=violations, recovery_s=recovery_s)
    row.record()
    assert violations == [], (fault, seed, violations[:20])
    return row
