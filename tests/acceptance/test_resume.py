"""Cut anywhere, come back, miss nothing: resume over WebSocket and server-sent events."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from groundswell.contract.partition import partition_of
from tests.acceptance.harness.audit import audit_reads, audit_viewer
from tests.acceptance.harness.client import Client, connect
from tests.acceptance.harness.deploying import Deploy, Figure
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.history import History
from tests.acceptance.harness.scale import scaled, seeded
from tests.acceptance.harness.viewers import EventStream, SocketStream, Viewer
from tests.acceptance.harness.waiting import wait_until
from tests.acceptance.harness.writers import Writer

pytestmark = pytest.mark.stack

PARTITIONS = 64  # of the embedded log
WINDOW_S = 2.0
SHORT_S = WINDOW_S / 2  # certainly inside the window
LONG_S = WINDOW_S + 1.0  # certainly outside, measured from a comment after the cut
LONG_SHARE = 0.2
CLIENTS = 10
SEEN_BETWEEN_CUTS = 25  # comments, at most


@dataclass(slots=True)
class Cuts:
    """What the server said after each cut, by how long the cut was."""

    short: list[bool] = field(default_factory=list)
    long: list[bool] = field(default_factory=list)
    between: int = 0  # cuts that were neither, on a slow machine


@asynccontextmanager
async def writing(client: Client, video: str) -> AsyncIterator[History]:
    """Have two users write comments for as long as the block runs."""
    history = History()
    stop = asyncio.Event()

    async def write(user: str) -> None:
        writer = Writer(client, history, random.Random(), user=user, videos=[video])
        while not stop.is_set():
            await writer.comment(writer.compose(video))

    tasks = [asyncio.create_task(write(user)) for user in ("ada", "grace")]
    try:
        yield history
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def absent(
    viewer: Viewer, observer: Viewer, history: History, rng: random.Random, *, long: bool
) -> float:
    """Stay away while others write; return for how long, in seconds."""
    began = time.monotonic()
    missed = history.acks() + rng.randint(0, SEEN_BETWEEN_CUTS)
    await wait_until(lambda: history.acks() >= missed, within=20, what="comments missed")
    if long:
        # A room that is behind the log has nothing yet that a viewer could have missed.
        left = viewer.seen.offset
        await observer.wait_for(lambda seen: seen.offset > left, within=20, what="something missed")
        since = time.monotonic()
        await wait_until(
            lambda: time.monotonic() - since > LONG_S, within=20, what="the window's end"
        )
    return time.monotonic() - began


async def cut_once(
    viewer: Viewer, observer: Viewer, history: History, rng: random.Random, cuts: Cuts
) -> None:
    """Cut a viewer at random and bring it back; the observer stays."""
    seen = len(viewer.seen.comments) + rng.randint(0, SEEN_BETWEEN_CUTS)
    await viewer.wait_for(lambda now: len(now.comments) >= seen, what="more comments")
    await viewer.cut()
    long = rng.random() < LONG_SHARE
    absent_s = await absent(viewer, observer, history, rng, long=long)
    await viewer.open()
    recovered = viewer.seen.recovered[-1]
    if long:
        cuts.long.append(recovered)
    elif absent_s < SHORT_S:
        cuts.short.append(recovered)
    else:
        cuts.between += 1


async def be_cut(
    viewer: Viewer,
    observer: Viewer,
    history: History,
    rng: random.Random,
    *,
    times: int,
    cuts: Cuts,
) -> None:
    """Cut a viewer again and again."""
    for _ in range(times):
        await cut_once(viewer, observer, history, rng, cuts)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("transport", [SocketStream, EventStream])
async def test_viewers_cut_at_random_see_every_comment_once_and_in_order(
    deploy: Deploy, figure: Figure, transport: type[SocketStream] | type[EventStream]
) -> None:
    """Cuts shorter than the window are recovered, longer ones never; no gap goes unsaid."""
    server = deploy(room_resume_window=str(WINDOW_S))
    video = "resumed"
    total = scaled(100, full=1000)
    cuts = Cuts()
    async with connect(server) as client:
        viewers = [Viewer(server, video, transport=transport) for _ in range(CLIENTS)]
        async with Viewer(server, video) as observer, writing(client, video) as history:
            for viewer in viewers:
                await viewer.open()
            await asyncio.gather(
                *(
                    be_cut(
                        viewer,
                        observer,
                        history,
                        seeded(f"resume-{i}"),
                        times=total // CLIENTS,
                        cuts=cuts,
                    )
                    for i, viewer in enumerate(viewers)
                )
            )
        comments = await client.every_comment(video)
        assert audit_reads(comments, history, video) == []
        last = comments[-1]["commentID"]
        for viewer in viewers:
            await viewer.wait_for(
                lambda seen: last in seen.comments or seen.shown[-1:] == [last],
                what="the last comment",
            )
            assert audit_viewer(viewer, comments, history) == []
            await viewer.cut()
    assert not any(cuts.long), "a cut longer than the window said recovered"
    assert cuts.long, "no cut was longer than the window"
    share = sum(cuts.short) / len(cuts.short)
    figure("comments", len(comments))
    figure("cuts inside the window", f"{len(cuts.short)}, recovered {share:.2%}")
    figure("cuts beyond the window", f"{len(cuts.long)}, recovered {sum(cuts.long)}")
    assert share >= 0.99


async def test_the_position_of_an_answer_is_where_a_stream_goes_on(
    shared: Deployment, video: str
) -> None:
    """From the position in a 201 or a GET on, nothing is missed and nothing doubled."""
    async with connect(shared) as client:
        first = await client.post_comment(video, "ada", "first")
        page = await client.get(f"/live/{video}/comments")
        assert [one["commentText"] for one in page.json()] == ["first"]
        second = await client.post_comment(video, "ada", "second")
        wanted = second.json()["commentID"]
        for position in (first.position, page.position):
            viewer = Viewer(shared, video)
            await viewer.open(position)
            await viewer.wait_for(lambda seen: wanted in seen.comments, what="the second")
            assert viewer.seen.recovered == [True]
            assert list(viewer.seen.comments) == [wanted]
            await viewer.cut()


async def test_a_quiet_room_stays_resumable(deploy: Deploy) -> None:
    """Pings carry the position, so a viewer of a silent room comes back without a snapshot."""
    server = deploy(stream_ping_interval="0.2", room_resume_window=str(WINDOW_S))
    quiet = "quiet"
    noisy = next(
        name
        for name in (f"noisy-{i}" for i in range(10_000))
        if partition_of(name, PARTITIONS) == partition_of(quiet, PARTITIONS)
    )
    async with connect(server) as client, Viewer(server, quiet) as viewer:
        answer = await client.post_comment(noisy, "ada", "somebody else's")
        since = time.monotonic()
        await viewer.wait_for(
            lambda seen: seen.position == answer.position, what="a ping with the position"
        )
        await wait_until(
            lambda: time.monotonic() - since > LONG_S, within=20, what="the window's end"
        )
        await viewer.cut()
        await viewer.open()
        assert viewer.seen.recovered == [True]
        assert viewer.seen.comments == {}
