"""A disk that is full, read-only, broken for a moment or slow: said truthfully, survived."""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.acceptance.harness.audit import audit
from tests.acceptance.harness.client import Answer, Client, connect, problem_of
from tests.acceptance.harness.deploying import DeployEmbedded, Figure
from tests.acceptance.harness.embedded import Embedded
from tests.acceptance.harness.history import History
from tests.acceptance.harness.scale import seeded
from tests.acceptance.harness.viewers import SocketStream, Viewer
from tests.acceptance.harness.waiting import wait_for_result, wait_until
from tests.acceptance.harness.writers import Population, Writer
from tests.faults.shim import Shim

pytestmark = [
    pytest.mark.stack,
    pytest.mark.embedded_only("faults of the disk below SQLite's files"),
]

REFUSED_WITHIN_S = 1.0
RECOVERS_WITHIN_S = 5.0

FAULTS: dict[str, tuple[Callable[[Shim], None], set[str]]] = {
    "full": (Shim.fill_disk, {"disk_full"}),
    "read-only": (Shim.make_read_only, {"log_unavailable", "outcome_unknown", "disk_full"}),
}


def shim_of(server: Embedded) -> Shim:
    """Return the server's shim."""
    assert server.shim is not None
    return server.shim


async def refused(client: Client, video: str, text: str) -> Answer:
    """Post a comment that must be refused at once, and properly."""
    began = time.monotonic()
    answer = await client.post_comment(video, "ada", text)
    assert time.monotonic() - began < REFUSED_WITHIN_S, "a refusal took too long"
    assert answer.status in {503, 507}, answer
    return answer


async def failed_so_often(shim: Shim, times: int) -> None:
    """Wait until so many syncs were made to fail."""
    await wait_until(lambda: shim.failed_syncs >= times, within=10, what="a failed sync")


async def recovery(client: Client, writer: Writer, video: str) -> float:
    """Post until it works again; return how long that took, in seconds."""
    began = time.monotonic()
    sent = writer.compose(video)

    async def attempt() -> bool | None:
        await writer.comment(sent)
        return True if sent.comment_id else None

    await wait_for_result(attempt, within=RECOVERS_WITHIN_S, what="recovery")
    return time.monotonic() - began


@pytest.mark.parametrize("fault", FAULTS)
async def test_writes_are_refused_and_reading_goes_on_until_there_is_space(
    deploy: DeployEmbedded, figure: Figure, fault: str
) -> None:
    """507 or 503 with `Retry-After`; viewers and GET live on; it recovers by itself."""
    server = deploy(shim=True)
    shim, (begin, codes) = shim_of(server), FAULTS[fault]
    async with connect(server) as client, Viewer(server, "disk") as viewer:
        history = History()
        writer = Writer(client, history, seeded("disk"), user="ada", videos=["disk"])
        socket = await SocketStream.open(server, "disk", None)
        for _ in range(5):
            await writer.comment(writer.compose("disk"))
        comment = (await client.comments("disk"))[0]["commentID"]

        begin(shim)
        seen_codes = {problem_of(await refused(client, "disk", f"lost {i}")) for i in range(10)}
        assert seen_codes <= codes
        for answer in (
            await client.react("disk", comment, "bob", "like"),
            await client.heart("disk", "bob"),
            await client.delete_comment("disk", comment),
        ):
            assert problem_of(answer) in codes
        assert shim.refused_writes > 0
        assert len(await client.comments("disk")) == 5, "reading goes on"
        async with Viewer(server, "disk") as late:
            assert len(late.seen.shown) == 5
        assert viewer.ended is None
        assert server.alive()

        shim.allow_writes()
        recovered_s = await recovery(client, writer, "disk")
        await wait_until(server.ready, within=RECOVERS_WITHIN_S, what="readiness")
        await viewer.wait_for(lambda seen: len(seen.comments) == 6, what="the comment after it")
        assert viewer.ended is None
        assert len(viewer.seen.segments) == 1
        await socket.cut()
        assert await audit(server, client, history, "disk", viewers=[viewer]) == []
    figure("recovered after, s", f"{recovered_s:.2f}")


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_under_load_loses_nothing_acknowledged(
    deploy: DeployEmbedded, fault: str
) -> None:
    """Before, during and after: every acknowledgement holds, and after a kill, too."""
    server = deploy(shim=True)
    shim = shim_of(server)
    async with connect(server) as client:
        population = Population(
            server, client, seeded(fault), name="l", videos=["load"], http=6, sockets=2
        )
        history = population.history
        await population.start()
        await wait_until(lambda: history.acks() >= 60, within=30, what="load")
        FAULTS[fault][0](shim)
        refusals = history.refused.total() + 20
        await wait_until(lambda: history.refused.total() >= refusals, within=10, what="refusals")
        shim.allow_writes()
        acks = history.acks() + 60
        await wait_until(lambda: history.acks() >= acks, within=10, what="recovery")
        await population.stop()
        await population.settle()
        assert await audit(server, client, history, "load") == []
        await asyncio.to_thread(server.kill9)
        await asyncio.to_thread(server.start)
        assert await audit(server, client, history, "load") == []


async def test_a_start_on_a_read_only_folder_is_refused_clearly(deploy: DeployEmbedded) -> None:
    """It ends at once, with an error that names the folder."""
    server = deploy(start=False, shim=True)
    shim_of(server).make_read_only()
    with pytest.raises(AssertionError, match="server exited"):
        server.start()
    assert str(server.data) in server.output()


async def test_a_failed_sync_is_never_followed_by_a_false_answer(deploy: DeployEmbedded) -> None:
    """EIO once: that commit is not acknowledged, and what is acknowledged later survives."""
    server = deploy(shim=True)
    shim = shim_of(server)
    async with connect(server) as client, Viewer(server, "eio") as viewer:
        history = History()
        writer = Writer(client, history, seeded("eio"), user="ada", videos=["eio"])
        await writer.comment(writer.compose("eio"))
        for failures in range(1, 4):
            shim.fail_syncs(1)
            doubtful = writer.compose("eio")
            # The projections sync too and may be the one that fails; then the log's works.
            await writer.comment(doubtful)
            await failed_so_often(shim, failures)
            await recovery(client, writer, "eio")
            await wait_until(server.ready, within=RECOVERS_WITHIN_S, what="readiness")
            if doubtful.comment_id is None:
                await writer.comment(doubtful)
        assert not history.unsettled
        assert await audit(server, client, history, "eio", viewers=[viewer]) == []
        await asyncio.to_thread(server.kill9)
        await asyncio.to_thread(server.start)
        assert await audit(server, client, history, "eio") == []


async def test_syncs_that_keep_failing_make_the_server_unready(deploy: DeployEmbedded) -> None:
    """While nothing can be made durable nothing is acknowledged, and readiness says so."""
    server = deploy(shim=True)
    shim = shim_of(server)
    async with connect(server) as client:
        assert (await client.post_comment("broken", "ada", "before")).status == 201
        shim.fail_syncs(1_000_000)
        for i in range(5):
            answer = await client.post_comment("broken", "ada", f"broken {i}")
            assert answer.status == 503, answer
        await wait_until(lambda: not server.ready(), within=2, what="unreadiness")
        found = await client.get("/live/broken/comments")
        assert found.status in {200, 503}, found
        shim.fail_syncs(0)
        await wait_until(server.ready, within=RECOVERS_WITHIN_S, what="readiness")
        assert (await client.post_comment("broken", "ada", "after")).status == 201
        texts = [one["commentText"] for one in await client.comments("broken")]
        assert (texts[0], texts[-1]) == ("before", "after")


async def test_a_slow_disk_delays_answers_and_not_the_event_loop(
    deploy: DeployEmbedded, figure: Figure
) -> None:
    """Syncs stall: answers wait for them, GETs and viewers of other things do not."""
    stall_s = 1.0
    server = deploy(shim=True)
    async with connect(server) as client:
        await client.post_comment("slow", "ada", "before")
        shim_of(server).stall_syncs(int(stall_s * 1000))
        began = time.monotonic()
        posting = asyncio.create_task(client.post_comment("slow", "ada", "waits"))
        slowest = 0.0
        while not posting.done():
            asked = time.monotonic()
            assert (await client.get("/live/slow/comments")).status == 200
            slowest = max(slowest, time.monotonic() - asked)
        assert posting.result().status == 201
        waited = time.monotonic() - began
        shim_of(server).stall_syncs(0)
    assert waited >= stall_s, "an answer came before its sync"
    assert waited < 2 * stall_s + 1
    assert slowest < stall_s / 2, "a sync blocks the event loop"
    figure("slowest GET during a stall, s", f"{slowest:.3f}")
