"""A normal user beside whatever a test does: writes and watches, and must not notice anything."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.acceptance.harness.client import Client
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.viewers import Viewer
from tests.acceptance.harness.waiting import wait_until

DELIVERED_WITHIN_S = 2.0  # generous: CI machines pause; a blocked loop takes longer


@asynccontextmanager
async def undisturbed(deployment: Deployment, client: Client, video: str) -> AsyncIterator[Viewer]:
    """Have a bystander write and watch while the block runs, then check what it went through."""
    posted: list[str] = []
    slowest = 0.0
    stop = asyncio.Event()

    async with Viewer(deployment, video) as viewer:

        async def write() -> None:
            nonlocal slowest
            while not stop.is_set() or not posted:
                began = time.monotonic()
                answer = await client.post_comment(video, "bystander", f"{len(posted)} fine")
                assert answer.status == 201, (answer.status, answer.body)
                comment_id = answer.json()["commentID"]
                posted.append(comment_id)
                await wait_until(
                    lambda: comment_id in viewer.seen.comments,  # noqa: B023 - awaited at once
                    within=DELIVERED_WITHIN_S,
                    what="the bystander's own comment",
                )
                slowest = max(slowest, time.monotonic() - began)

        task = asyncio.create_task(write())
        try:
            yield viewer
        finally:
            stop.set()
            await task
        assert viewer.ended is None, f"the bystander was closed: {viewer.ended}"
        assert len(viewer.seen.segments) == 1, "the bystander was told of a gap"
        shown = [comment_id for comment_id in viewer.seen.shown if comment_id in set(posted)]
        assert shown == posted, "the bystander missed something"
        assert slowest < DELIVERED_WITHIN_S, f"the bystander waited {slowest:.2f} s"
        assert deployment.alive()
