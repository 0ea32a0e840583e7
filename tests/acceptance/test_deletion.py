"""A deletion reaches everything that could still show the text."""

import asyncio
import json

import pytest

from tests.acceptance.harness.client import connect
from tests.acceptance.harness.deploying import Deploy, DeployEmbedded
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.viewers import EventStream, SocketStream, Viewer
from tests.acceptance.harness.waiting import wait_until
from tests.acceptance.harness.wire import CLOSE, Wire

pytestmark = pytest.mark.stack

TEXT = "something-that-must-go"


@pytest.mark.parametrize("transport", [SocketStream, EventStream])
async def test_a_deleted_text_is_never_sent_again(
    shared: Deployment, video: str, transport: type[SocketStream] | type[EventStream]
) -> None:
    """Viewers are told; welcome, resume from before, and GET no longer have it."""
    async with connect(shared) as client, Viewer(shared, video, transport=transport) as viewer:
        before = await client.post_comment(video, "ada", "before")
        comment = (await client.post_comment(video, "ada", TEXT)).json()["commentID"]
        reply = await client.post_comment(video, "bob", "a reply", reply_to=comment)
        await viewer.wait_for(lambda seen: len(seen.comments) == 3, what="three comments")
        left_early = Viewer(shared, video, transport=transport)
        left_early.seen.position = before.position

        answer = await client.delete_comment(video, comment)
        assert (answer.status, answer.json()) == (200, {"status": "deleted", "commentID": comment})
        await viewer.wait_for(lambda seen: comment in seen.deleted, what="the deletion")

        await left_early.open()
        after = (await client.post_comment(video, "ada", "after")).json()["commentID"]
        async with Viewer(shared, video, transport=transport) as late:
            for one in (left_early, late):
                await one.wait_for(lambda seen: after in seen.comments, what="the last comment")
                assert not any(TEXT in text for text in one.seen.frames)
        assert left_early.seen.recovered == [True]
        assert left_early.seen.shown == [reply.json()["commentID"], after]
        await left_early.cut()

        assert comment not in {one["commentID"] for one in await client.every_comment(video)}
        assert TEXT not in json.dumps(await client.every_comment(video))
        replies = await client.every_reply(video, comment)
        assert [one["commentText"] for one in replies] == ["a reply"], "replies stand"


async def test_a_slow_viewer_never_gets_a_text_that_was_deleted_meanwhile(deploy: Deploy) -> None:
    """What waits in the ring for a viewer that does not read is rewritten, too."""
    server = deploy(room_ring_time="60", room_ring_bytes=str(16 << 20), stream_ping_interval="600")
    async with (
        connect(server) as client,
        await Wire.open(server.entrance, receive_bytes=4096) as slow,
        Viewer(server, "slow") as viewer,
    ):
        assert (await slow.upgrade("slow")).status == 101
        for _ in range(300):  # 600 KB: more than the buffers of both sides hold
            assert (await client.post_comment("slow", "ada", "\U0001f600" * 500)).status == 201
        comment = (await client.post_comment("slow", "ada", TEXT)).json()["commentID"]
        await viewer.wait_for(lambda seen: comment in seen.comments, what="the comment")
        assert (await client.delete_comment("slow", comment)).status == 200
        await viewer.wait_for(lambda seen: comment in seen.deleted, what="the deletion")
        after = (await client.post_comment("slow", "ada", "after")).json()["commentID"]

        frames = b""
        while after.encode() not in frames:
            opcode, payload = await slow.read_frame()
            assert opcode != CLOSE, payload
            assert TEXT.encode() not in payload, "a deleted text was sent"
            frames = payload
        assert viewer.ended is None


@pytest.mark.embedded_only("reads the bytes of SQLite's files")
async def test_a_deleted_text_leaves_the_store(deploy: DeployEmbedded) -> None:
    """No file of the comment store holds the bytes once the server has stopped."""
    server = deploy()
    async with connect(server) as client:
        comment = (await client.post_comment("erased", "ada", TEXT)).json()["commentID"]
        await wait_until(lambda: server.stores.comments("erased"), within=10, what="a row")
        assert (await client.delete_comment("erased", comment)).status == 200
        await wait_until(lambda: not server.stores.comments("erased"), within=10, what="no row")
    assert await asyncio.to_thread(server.terminate) == 0
    assert server.stores.files_with(TEXT) == []


async def test_a_deletion_holds_after_a_kill_and_with_the_store_behind(deploy: Deploy) -> None:
    """Deleted while persist was away, killed, restarted with it: gone from GET all the time."""
    server = deploy()
    await asyncio.to_thread(server.pause_persist)
    async with connect(server) as client:
        comment = (await client.post_comment("behind", "ada", TEXT)).json()["commentID"]
        kept = (await client.post_comment("behind", "ada", "stays")).json()["commentID"]
        assert (await client.delete_comment("behind", comment)).status == 200
        await asyncio.to_thread(server.kill9)
        await asyncio.to_thread(server.start)
        assert [one["commentID"] for one in await client.comments("behind")] == [kept]
        await asyncio.to_thread(server.resume_persist)
        await wait_until(lambda: server.stores.comments("behind"), within=10, what="the row")
        assert [one["commentID"] for one in await client.comments("behind")] == [kept]


async def test_only_moderators_delete(shared: Deployment, video: str) -> None:
    """Not even the author; an admin may, and twice is as good as once."""
    async with connect(shared) as client:
        comment = (await client.post_comment(video, "ada", "mine")).json()["commentID"]
        path = f"/live/{video}/comments/{comment}"
        answer = await client.request("DELETE", path, headers=client.authorization("ada"))
        assert (answer.status, answer.code) == (403, "not_moderator")
        admin = client.authorization("root", role="admin")
        for _ in range(2):
            assert (await client.request("DELETE", path, headers=admin)).status == 200
        assert await client.comments(video) == []
