"""Any broker serves any viewer: resume elsewhere, read elsewhere, one order everywhere."""

import asyncio
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from groundswell.contract import close_codes
from tests.acceptance.harness.audit import audit, audit_reads, audit_viewer
from tests.acceptance.harness.client import connect
from tests.acceptance.harness.cluster import Cluster
from tests.acceptance.harness.deploying import DeployCluster, Figure
from tests.acceptance.harness.history import History
from tests.acceptance.harness.scale import scaled, seeded
from tests.acceptance.harness.viewers import EventStream, SocketStream, Viewer
from tests.acceptance.harness.waiting import wait_until
from tests.acceptance.harness.writers import Writer

pytestmark = pytest.mark.stack

WINDOW_S = 3.0
SHORT_S = WINDOW_S / 2  # certainly inside the window
LONG_S = WINDOW_S + 1.0  # certainly outside
LONG_SHARE = 0.2
VIEWERS = 10
AT_ONCE = 8


class Wanderer(Viewer):
    """A viewer that comes back through another door each time."""

    def __init__(self, cluster: Cluster, video: str, *, transport: type) -> None:
        self._doors = [broker.entrance for broker in cluster.of("broker")]
        super().__init__(self._doors[0], video, transport=transport)

    async def cross(self) -> None:
        """Connect to the next broker, from the last position."""
        self._doors = [*self._doors[1:], self._doors[0]]
        self._deployment = self._doors[0]
        await self.open()


@dataclass(slots=True)
class Crossings:
    """What brokers said to viewers that came from another, by how long they were away."""

    short: list[bool] = field(default_factory=list)
    long: list[bool] = field(default_factory=list)
    between: int = 0  # neither, on a slow machine


async def cross(
    viewer: Wanderer,
    observers: Sequence[Viewer],
    history: History,
    rng: random.Random,
    *,
    times: int,
    crossings: Crossings,
) -> None:
    """Cut a viewer at random and bring it back elsewhere, again and again."""
    for _ in range(times):
        seen = len(viewer.seen.comments) + rng.randint(0, 20)
        await viewer.wait_for(lambda now: len(now.comments) >= seen, what="more comments")  # noqa: B023 - awaited at once
        await viewer.cut()
        began = time.monotonic()
        long = rng.random() < LONG_SHARE
        missed = history.acks() + rng.randint(0, 20)
        await wait_until(lambda: history.acks() >= missed, within=20, what="comments missed")  # noqa: B023 - awaited at once
        if long:
            # A room that is behind the log has nothing yet that a viewer could have missed.
            left = viewer.seen.offset
            for observer in observers:
                await observer.wait_for(lambda seen: seen.offset > left, within=20, what="a miss")  # noqa: B023 - awaited at once
            since = time.monotonic()
            await wait_until(lambda: time.monotonic() - since > LONG_S, within=20, what="the end")  # noqa: B023 - awaited at once
        away_s = time.monotonic() - began
        await viewer.cross()
        if long:
            crossings.long.append(viewer.seen.recovered[-1])
        elif away_s < SHORT_S:
            crossings.short.append(viewer.seen.recovered[-1])
        else:
            crossings.between += 1


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("transport", [SocketStream, EventStream])
async def test_a_viewer_cut_from_one_broker_resumes_on_another(
    deploy: DeployCluster, figure: Figure, transport: type
) -> None:
    """Cuts shorter than the window are recovered and complete, longer ones never recovered."""
    cluster = deploy(room_resume_window=str(WINDOW_S))
    video = f"crossing-{transport.__name__}"
    total = scaled(100, full=1000)
    crossings = Crossings()
    stop = asyncio.Event()
    history = History()
    async with connect(cluster) as client:
        viewers = [Wanderer(cluster, video, transport=transport) for _ in range(VIEWERS)]

        async def write(user: str) -> None:
            writer = Writer(client, history, seeded(user), user=user, videos=[video])
            while not stop.is_set():
                await writer.comment(writer.compose(video))

        writing = [asyncio.create_task(write(user)) for user in ("ada", "grace")]
        observers = [Viewer(broker.entrance, video) for broker in cluster.of("broker")]
        for viewer in (*observers, *viewers):
            await viewer.open()
        await asyncio.gather(
            *(
                cross(
                    viewer,
                    observers,
                    history,
                    seeded(f"cross-{i}"),
                    times=total // VIEWERS,
                    crossings=crossings,
                )
                for i, viewer in enumerate(viewers)
            )
        )
        stop.set()
        await asyncio.gather(*writing)
        comments = await client.every_comment(video)
        assert audit_reads(comments, history, video) == []
        last = comments[-1]["commentID"]
        for viewer in viewers:
            await viewer.wait_for(lambda seen: last in seen.comments, what="the last comment")
            assert audit_viewer(viewer, comments, history) == []
        for viewer in (*observers, *viewers):
            await viewer.cut()
    share = sum(crossings.short) / len(crossings.short)
    figure("comments", len(comments))
    figure("crossings inside the window", f"{len(crossings.short)}, recovered {share:.2%}")
    figure("crossings beyond", f"{len(crossings.long)}, recovered {sum(crossings.long)}")
    assert not any(crossings.long), "a cut longer than the window said recovered"
    assert crossings.long, "no cut was longer than the window"
    assert share >= 0.99


@pytest.mark.timeout(600)
async def test_what_one_ingest_answered_every_broker_reads_at_once(
    deploy: DeployCluster, figure: Figure
) -> None:
    """201 from ingest 1, then GET on broker 2, which has no room for it, with persist stopped."""
    cluster = deploy()
    await asyncio.to_thread(cluster.pause_persist)
    total = scaled(100, full=1000)
    history = History()
    present = 0
    ingest, broker = cluster.of("ingest")[0].entrance, cluster.of("broker")[1].entrance
    async with connect(ingest) as posting, connect(broker) as reading:

        async def post_then_get(worker: int) -> None:
            nonlocal present
            for number in range(worker, total, AT_ONCE):
                video = f"unread-{number}"
                user = f"ada{number}"
                writer = Writer(posting, history, seeded("unread"), user=user, videos=[video])
                sent = writer.compose(video)
                await writer.comment(sent)
                page = await reading.comments(video)
                present += [one["ref"] for one in page] == [sent.ref]

        await asyncio.gather(*(post_then_get(worker) for worker in range(AT_ONCE)))
    await asyncio.to_thread(cluster.resume_persist)
    figure("present at once", f"{present} of {total}")
    assert present == total


async def test_the_rows_in_cassandra_lie_in_the_order_of_both_screens(
    deploy: DeployCluster, figure: Figure
) -> None:
    """Many writers through both ingests: one order in the log, in Cassandra and on both brokers."""
    cluster = deploy(room_ring_time="60", room_ring_bytes=str(64 << 20))
    history = History()
    total, writers = scaled(1000, full=10_000), 32
    video = "one-order"
    async with connect(cluster) as client:
        screens = [Viewer(broker.entrance, video) for broker in cluster.of("broker")]
        for screen in screens:
            await screen.open()

        async def write(number: int) -> None:
            writer = Writer(client, history, seeded("order"), user=f"w{number}", videos=[video])
            for _ in range(number, total, writers):
                await writer.comment(writer.compose(video))

        await asyncio.gather(*(write(number) for number in range(writers)))
        for screen in screens:
            await screen.wait_for(
                lambda seen: len(seen.comments) >= total, within=60, what="all comments"
            )
        assert screens[0].seen.shown == screens[1].seen.shown
        assert await audit(cluster, client, history, video, viewers=screens) == []
        stored = await asyncio.to_thread(cluster.stores.comments, video)
        assert [comment_id for comment_id, _ in stored] == screens[0].seen.shown
        for screen in screens:
            await screen.cut()
    figure("comments in one order", total)


async def test_viewers_of_a_broker_that_stops_go_on_at_the_other(deploy: DeployCluster) -> None:
    """SIGTERM to one broker: its viewers are told to come back, and miss nothing elsewhere."""
    cluster = deploy(server_drain_time="0.5")
    stopping, staying = cluster.of("broker")
    video = "moving"
    async with connect(cluster) as client, Viewer(staying.entrance, video) as beside:
        viewers = [Wanderer(cluster, video, transport=SocketStream) for _ in range(10)]
        for viewer in viewers:
            await viewer.open()
        for number in range(10):
            assert (await client.post_comment(video, "ada", f"before {number}")).status == 201
        stopping.server.send(signal.SIGTERM)
        codes = {(await viewer.wait_closed(within=10)).code for viewer in viewers}
        assert codes == {close_codes.DRAIN.code}
        for number in range(10):
            assert (await client.post_comment(video, "ada", f"after {number}")).status == 201
        for viewer in viewers:
            await viewer.cut()
            await viewer.cross()
            await viewer.wait_for(lambda seen: len(seen.comments) == 20, what="all comments")
            assert viewer.seen.recovered == [True]
            assert viewer.seen.shown == beside.seen.shown
            await viewer.cut()
        assert await asyncio.to_thread(stopping.server.wait) == 0
    await asyncio.to_thread(cluster.start)


async def test_a_deleted_text_leaves_redis_and_cassandra(deploy: DeployCluster) -> None:
    """No key of the cache and no row of the store holds the text once the deletion is applied."""
    cluster = deploy()
    text, video = "something-that-must-go-everywhere", "gone-everywhere"
    async with connect(cluster) as client:
        comment = (await client.post_comment(video, "ada", text)).json()["commentID"]
        stores = cluster.stores
        await wait_until(lambda: stores.comments(video), within=20, what="the row")
        assert [one["commentID"] for one in await client.comments(video)] == [comment]
        assert (await client.delete_comment(video, comment)).status == 200
        await wait_until(lambda: not stores.comments(video), within=20, what="no row")
        await wait_until(
            lambda: not stores.holds(text.encode()), within=20, what="no trace of the text"
        )
