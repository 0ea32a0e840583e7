"""`kill -9` under load: what was acknowledged is there afterwards, exactly once."""

import asyncio
import random
import signal
import time

import pytest

from groundswell.contract.faultpoints import POINTS
from tests.acceptance.harness.audit import audit
from tests.acceptance.harness.client import connect
from tests.acceptance.harness.deploying import Deploy, Figure
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.scale import scaled, seeded
from tests.acceptance.harness.viewers import Viewer
from tests.acceptance.harness.waiting import wait_until
from tests.acceptance.harness.writers import Population

pytestmark = pytest.mark.stack

HTTP_WRITERS, SOCKET_WRITERS = 6, 3
REQUESTS = (60, 400)  # a kill comes after so many requests
# At which pass a fault point kills: late enough for a load to run, early enough to be reached.
PASSES = {
    "ingest": (20, 60),
    "log": (20, 60),
    "persist": (4, 12),
    "store": (2, 6),
    "index": (4, 12),
}
# Places in the adapter of an engine that is not embedded.
CASSANDRA_POINTS = frozenset(
    {"store.between_rows", "store.before_deletions", "store.before_rows", "store.before_applied"}
)


class Cycle:
    """One life of a server under load, its end, and the check in the next life."""

    def __init__(self, server: Deployment, rng: random.Random, *, name: str) -> None:
        self._server = server
        self._rng = rng
        self._name = name
        self.videos = [f"{name}-a", f"{name}-b"]

    async def run(self, *, faultpoint: str | None = None) -> tuple[int, float]:
        """Return how much was acknowledged and how long the restart took, in seconds."""
        server = self._server
        async with connect(server) as client:
            population = Population(
                server,
                client,
                self._rng,
                name=self._name,
                videos=self.videos,
                http=HTTP_WRITERS,
                sockets=SOCKET_WRITERS,
            )
            viewers = [Viewer(server, video) for video in self.videos]
            for viewer in viewers:
                await viewer.open()
            await population.start()
            if faultpoint is None:
                wanted = self._rng.randint(*REQUESTS)
                await wait_until(
                    lambda: population.history.requests >= wanted, within=60, what="load"
                )
                await asyncio.to_thread(server.kill9)
            else:
                await wait_until(lambda: not server.alive(), within=60, what=faultpoint)
                assert server.wait_for_exit() == -signal.SIGKILL, server.output()
            await population.stop()
            acknowledged = population.history.acks()

            began = time.monotonic()
            await asyncio.to_thread(server.start)
            restart_s = time.monotonic() - began
            for viewer in viewers:
                await viewer.cut()
                await viewer.open()
            await population.settle()
            for video, viewer in zip(self.videos, viewers, strict=True):
                violations = await audit(
                    server, client, population.history, video, viewers=[viewer]
                )
                assert violations == [], (self._name, violations[:20])
                assert viewer.seen.recovered == [True], "a restart shorter than the resume window"
            for viewer in viewers:
                await viewer.cut()
        return acknowledged, restart_s


@pytest.mark.embedded_only("cluster/faults kills roles at random and at each of their points")
@pytest.mark.timeout(3600)
async def test_nothing_acknowledged_is_lost_or_doubled_by_kills(
    deploy: Deploy, figure: Figure
) -> None:
    """Every cycle kills at a random moment; the log, the store, GET and viewers agree after it."""
    server = deploy()
    rng = seeded("kill")
    cycles = scaled(5, full=50)
    acknowledged, slowest_s = 0, 0.0
    for number in range(cycles):
        acks, restart_s = await Cycle(server, rng, name=f"cycle{number}").run()
        acknowledged += acks
        slowest_s = max(slowest_s, restart_s)
    assert await asyncio.to_thread(server.terminate) == 0
    assert server.stores.integrity() == []
    assert server.stores.dead_letters() == []
    figure("kills", cycles)
    figure("acknowledged", acknowledged)
    figure("slowest restart to ready, s", f"{slowest_s:.2f}")


@pytest.mark.embedded_only("cluster/faults kills roles at random and at each of their points")
@pytest.mark.parametrize("point", sorted(POINTS - CASSANDRA_POINTS))
async def test_nothing_is_lost_or_doubled_by_a_kill_between_two_writes(
    deploy: Deploy, figure: Figure, point: str
) -> None:
    """The process kills itself at a named point; the next one makes good what was left open."""
    server = deploy(start=False)
    rng = seeded(point)
    nth = rng.randint(*PASSES[point.partition(".")[0]])
    server.start(faultpoint=f"{point}:{nth}")
    acknowledged, _ = await Cycle(server, rng, name=point).run(faultpoint=point)
    figure(f"acknowledged before pass {nth}", acknowledged)
