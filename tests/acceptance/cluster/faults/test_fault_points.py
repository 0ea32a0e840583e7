"""persist killed between each pair of its writes: what was begun is finished, once."""

import asyncio
import random
import signal

import pytest

from groundswell.contract.faultpoints import POINTS
from tests.acceptance.cluster.harness.cycles import seeds
from tests.acceptance.cluster.harness.load import judged, under_load
from tests.acceptance.harness.cluster import ROLE_OF_POINT, Cluster
from tests.acceptance.harness.deploying import Figure
from tests.acceptance.harness.waiting import wait_until

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(3600),
]

PASSES = (2, 8)  # at which one a point kills
REACHED_WITHIN_S = 60.0
# store.before_commit is SQLite's.
OURS = sorted(
    point
    for point in POINTS
    if ROLE_OF_POINT.get(point.partition(".")[0]) == "persist" and point != "store.before_commit"
)


@pytest.mark.parametrize("point", OURS)
async def test_a_kill_between_two_writes_of_persist_breaks_no_promise(
    cluster: Cluster, figure: Figure, point: str
) -> None:
    """Both workers carry the point; when the first has come there, both are killed."""
    fault = f"killed at {point}"
    for number, seed in enumerate(seeds(fault)):
        rng = random.Random(seed)
        for one in cluster.of("persist"):
            one.server.kill9()
        starting = asyncio.to_thread(cluster.start, faultpoint=f"{point}:{rng.randint(*PASSES)}")
        await starting
        async with under_load(cluster, rng, name=f"{point}-{number}") as load:
            await wait_until(
                lambda: not cluster.alive(), within=REACHED_WITHIN_S, what=f"{point} reached"
            )
            assert await asyncio.to_thread(cluster.wait_for_exit) == -signal.SIGKILL
            await asyncio.to_thread(cluster.start)
            recovery_s = await load.recovery()
            await judged(load, fault=fault, seed=seed, recovery_s=recovery_s)
        figure("recovery, s", f"{recovery_s:.1f}")
