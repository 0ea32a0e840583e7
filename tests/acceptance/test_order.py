"""One order for everybody: both screens, GET, the store, and after a restart."""

import asyncio

import pytest

from tests.acceptance.harness.audit import audit
from tests.acceptance.harness.client import Client, connect
from tests.acceptance.harness.deploying import Deploy, Figure
from tests.acceptance.harness.history import History
from tests.acceptance.harness.scale import scaled, seeded
from tests.acceptance.harness.viewers import Viewer
from tests.acceptance.harness.writers import Writer

pytestmark = pytest.mark.stack

WRITERS = 64
SKIPPED, SAMPLED_MAX = 100, 20_000  # comments left out before we stop; sent, at most


async def write_all(client: Client, history: History, video: str, *, total: int) -> None:
    """Have 64 users write so many comments together."""

    async def write(number: int) -> None:
        writer = Writer(client, history, seeded("order"), user=f"w{number}", videos=[video])
        for _ in range(number, total, WRITERS):
            await writer.comment(writer.compose(video))

    await asyncio.gather(*(write(number) for number in range(WRITERS)))


@pytest.mark.timeout(600)
async def test_two_viewers_the_pages_and_a_restart_show_one_order(
    deploy: Deploy, figure: Figure
) -> None:
    """64 writers at once: whoever looks, wherever, whenever, sees the same sequence."""
    server = deploy(room_ring_time="60", room_ring_bytes=str(64 << 20))
    video = "ordered"
    history = History()
    total = scaled(2_000, full=10_000)
    async with connect(server) as client:
        async with Viewer(server, video) as one, Viewer(server, video) as two:
            await write_all(client, history, video, total=total)
            for viewer in (one, two):
                await viewer.wait_for(
                    lambda seen: len(seen.comments) >= total, within=60, what="all comments"
                )
                assert len(viewer.seen.segments) == 1, "a viewer that kept up was made to skip"
            assert one.seen.shown == two.seen.shown
            assert await audit(server, client, history, video, viewers=[one, two]) == []
            order = one.seen.shown
        assert await asyncio.to_thread(server.terminate) == 0
        await asyncio.to_thread(server.start)
        pages = await client.every_comment(video, limit=499)
        assert [comment["commentID"] for comment in pages] == order
    figure("comments in one order", total)


async def test_above_the_display_rate_everybody_sees_the_same_sample(
    deploy: Deploy, figure: Figure
) -> None:
    """What is left out is counted, the same for all, and GET has it."""
    server = deploy(room_display_rate="5", room_ring_time="60")
    history = History()
    async with connect(server) as client:
        writer = Writer(client, history, seeded("sample"), user="ada", videos=["sampled"])
        async with Viewer(server, "sampled") as one, Viewer(server, "sampled") as two:
            # The first second shows all: the sample depends on the count of the second before.
            while one.seen.skipped < SKIPPED and len(history.sent) < SAMPLED_MAX:
                await writer.comment(writer.compose("sampled"))
            total = len(history.sent)
            for viewer in (one, two):
                await viewer.wait_for(
                    lambda seen: len(seen.comments) + seen.skipped >= total,
                    what="all comments, shown or counted",
                )
                assert len(viewer.seen.comments) + viewer.seen.skipped == total
            assert one.seen.shown == two.seen.shown
            assert one.seen.skipped >= SKIPPED
            shown = set(one.seen.shown)
        comments = [comment["commentID"] for comment in await client.every_comment("sampled")]
        assert len(comments) == total
        assert [comment for comment in comments if comment in shown] == one.seen.shown
    figure("shown", f"{len(shown)} of {total}")
