"""Viewers that do not keep up or show no sign of life: told, or closed; never left guessing."""

import json

import pytest

from groundswell.contract import close_codes
from tests.acceptance.harness import checker
from tests.acceptance.harness.client import Client, connect
from tests.acceptance.harness.deploying import Deploy
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.viewers import Seen, Viewer
from tests.acceptance.harness.wire import CLOSE, TEXT, Wire

pytestmark = pytest.mark.stack

RING_BYTES = 64 << 10
NEVER_S = "600"  # who does not read answers no ping either, and is not to be closed for that
MANY = 300  # comments of 2 KB: more than ring and buffers hold together
LONG_TEXT = "\U0001f600" * 500


async def fall_behind(server: Deployment, client: Client, slow: Wire, video: str) -> list[str]:
    """Write more than a viewer that does not read can be kept; return the ids."""
    assert (await slow.upgrade(video)).status == 101
    async with Viewer(server, video) as beside:
        posted = []
        for _ in range(MANY):
            answer = await client.post_comment(video, "ada", LONG_TEXT)
            posted.append(answer.json()["commentID"])
        last = posted[-1]
        await beside.wait_for(lambda seen: last in seen.comments, what="the last comment")
        assert len(beside.seen.segments) == 1, "the viewer beside it was made to skip"
    return posted


async def test_a_viewer_behind_the_ring_is_told_of_the_gap(deploy: Deploy) -> None:
    """It skips to now with a new `welcome`; before and after that nothing is missing."""
    server = deploy(room_ring_bytes=str(RING_BYTES), stream_ping_interval=NEVER_S)
    async with (
        connect(server) as client,
        await Wire.open(server.entrance, receive_bytes=4096) as slow,
    ):
        posted = await fall_behind(server, client, slow, "behind-the-ring")
        seen = Seen()
        while posted[-1] not in seen.comments:
            opcode, payload = await slow.read_frame()
            assert opcode != CLOSE, payload
            if opcode == TEXT:
                seen.take(payload.decode(), reconnected=True)
        order = [one["commentID"] for one in await client.every_comment("behind-the-ring")]
        assert order == posted
        assert seen.recovered == [False, False]
        assert checker.gaps(seen.segments, order, deleted=()) == []


async def test_a_viewer_behind_the_ring_is_closed_where_that_is_wanted(deploy: Deploy) -> None:
    """With `room.slow_viewers = "close"`: 4008, and nothing was missing until then."""
    server = deploy(
        room_ring_bytes=str(RING_BYTES),
        room_slow_viewers="close",
        stream_ping_interval=NEVER_S,
    )
    async with (
        connect(server) as client,
        await Wire.open(server.entrance, receive_bytes=4096) as slow,
    ):
        posted = await fall_behind(server, client, slow, "closed")
        seen = Seen()
        while True:
            opcode, payload = await slow.read_frame()
            if opcode == CLOSE:
                break
            if opcode == TEXT:
                seen.take(payload.decode(), reconnected=False)
        assert int.from_bytes(payload[:2], "big") == close_codes.SLOW.code
        assert checker.gaps(seen.segments, posted, deleted=()) == []


async def test_a_viewer_without_a_sign_of_life_is_closed(deploy: Deploy) -> None:
    """No answer to a ping: 4009. Either kind of pong keeps a stream open."""
    server = deploy(stream_ping_interval="0.2", stream_pong_timeout="0.5")
    async with await Wire.open(server) as silent, Viewer(server, "alive") as viewer:
        assert (await silent.upgrade("alive")).status == 101
        assert await silent.close_code() == close_codes.IDLE.code
        assert viewer.ended is None


async def test_an_expired_token_writes_nothing_more(deploy: Deploy) -> None:
    """Over a socket whose token ran out: `token_expired`, or the stream is closed with 4401."""
    server = deploy(auth_leeway="0")
    async with connect(server) as client, await Wire.open(server) as wire:
        assert (await wire.upgrade("expiring")).status == 101
        token = server.token("ada", ttl_s=2)
        await wire.send_message({"type": "auth", "token": token, "ref": "a"})
        await wire.read_message("ack")
        sent = 0
        stored: set[int] = set()  # how many comments may be there at the end
        while not stored:
            sent += 1
            await wire.send_message({"type": "comment", "ref": f"c{sent}", "commentText": "x"})
            opcode, payload = await wire.read_frame()
            while opcode == TEXT and json.loads(payload)["type"] not in {"ack", "error"}:
                opcode, payload = await wire.read_frame()
            if opcode == CLOSE:
                assert int.from_bytes(payload[:2], "big") == close_codes.TOKEN_EXPIRED.code
                stored = {sent - 1, sent}  # the last was on its way when the time was up
            elif (answer := json.loads(payload))["type"] == "error":
                assert answer["code"] == "token_expired"
                stored = {sent - 1}
        assert len(await client.every_comment("expiring")) in stored
