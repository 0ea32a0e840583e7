"""Plays systemd: what has ended is started again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.acceptance.harness.cluster import Cluster
from tests.acceptance.harness.waiting import POLL_S


@asynccontextmanager
async def restarting(cluster: Cluster) -> AsyncIterator[list[str]]:
    """Restart processes of a cluster while the block runs; gives the names of those restarted."""
    restarted: list[str] = []

    async def watch() -> None:
        while True:
            for one in cluster.roles:
                if not one.server.alive():
                    restarted.append(one.name)
                    cluster.spawn(one)
            await asyncio.sleep(POLL_S)

    task = asyncio.create_task(watch())
    try:
        yield restarted
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
