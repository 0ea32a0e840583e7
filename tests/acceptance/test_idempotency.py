"""One key, one comment: repeated at once, over both ways, and after a kill."""

import asyncio

import pytest

from tests.acceptance.harness.client import connect
from tests.acceptance.harness.deploying import Deploy
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.viewers import Viewer
from tests.acceptance.harness.waiting import wait_until
from tests.acceptance.harness.wire import Wire

pytestmark = pytest.mark.stack


async def test_a_repeated_key_gives_the_same_answer(shared: Deployment, video: str) -> None:
    """Eight at once are one comment, for viewers too; another user's key is another key."""
    async with connect(shared) as client, Viewer(shared, video) as viewer:
        answers = await asyncio.gather(
            *(client.post_comment(video, "ada", "once", key="k1") for _ in range(8))
        )
        assert {answer.status for answer in answers} == {201}
        assert len({answer.json()["commentID"] for answer in answers}) == 1
        assert len({answer.json()["timestamp"] for answer in answers}) == 1
        other = await client.post_comment(video, "bob", "another user's key", key="k1")
        assert [one["userID"] for one in await client.comments(video)] == ["ada", "bob"]
        last = other.json()["commentID"]
        await viewer.wait_for(lambda seen: last in seen.comments, what="the last comment")
        assert len(viewer.seen.shown) == 2


async def test_a_key_and_a_ref_are_the_same_thing(shared: Deployment, video: str) -> None:
    """What was posted with a key is not posted again over a socket with that `ref`."""
    async with connect(shared) as client, await Wire.open(shared) as wire:
        posted = await client.post_comment(video, "ada", "once", key="r1")
        assert (await wire.upgrade(video)).status == 101
        await wire.send_message({"type": "auth", "token": shared.token("ada")})
        await wire.send_message({"type": "comment", "ref": "r1", "commentText": "once"})
        ack = await wire.read_message("ack")
        assert ack["commentID"] == posted.json()["commentID"]
        [comment] = await client.comments(video)
        assert comment["ref"] == "r1"


async def test_a_key_names_one_text(shared: Deployment, video: str) -> None:
    """The same key for another text is a mistake of the client, and is said to be one."""
    async with connect(shared) as client:
        await client.post_comment(video, "ada", "one", key="k")
        answer = await client.post_comment(video, "ada", "two", key="k")
        assert (answer.status, answer.code) == (422, "key_reused")
        assert [one["commentText"] for one in await client.comments(video)] == ["one"]


async def test_a_key_is_remembered_over_a_kill(deploy: Deploy) -> None:
    """A retry after a restart is answered with the id that the comment has."""
    server = deploy()
    async with connect(server) as client:
        first = await client.post_comment("retried", "ada", "once", key="k")
        await asyncio.to_thread(server.kill9)
        await asyncio.to_thread(server.start)
        again = await client.post_comment("retried", "ada", "once", key="k")
        assert again.status == 201
        assert again.json() == first.json()
        assert again.position == first.position
        assert len(await client.comments("retried")) == 1
        await wait_until(lambda: server.stores.comments("retried"), within=10, what="a row")
        assert len(server.stores.comments("retried")) == 1
