"""Bad input over a WebSocket: the right close code or `error`, and nobody else notices."""

import json
from collections.abc import AsyncIterator

import pytest

from groundswell.contract import close_codes
from tests.acceptance.harness.bystander import undisturbed
from tests.acceptance.harness.client import Client, connect
from tests.acceptance.harness.deploying import Deploy
from tests.acceptance.harness.deployment import Deployment, mint
from tests.acceptance.harness.viewers import SocketStream, Viewer
from tests.acceptance.harness.wire import BINARY, CLOSE, PING, PONG, TEXT, Wire, frame

pytestmark = pytest.mark.stack

PROTOCOL_ERROR = close_codes.PROTOCOL_ERROR.code
INVALID_UTF8 = close_codes.INVALID_UTF8.code
TOO_BIG = close_codes.TOO_BIG.code
FORGED_ID = "0192f0c1-7b8a-7001-8abc-0123456789ab"
CONTINUATION = 0x0


@pytest.fixture
async def client(shared: Deployment) -> AsyncIterator[Client]:
    """A client, with a bystander on the same server who must not notice the test."""
    async with connect(shared) as client, undisturbed(shared, client, "bystander"):
        yield client


FRAMES = {
    # RFC 6455 section 5.1: a server must close on an unmasked frame.
    "unmasked": (frame(b"{}", opcode=TEXT, masked=False), PROTOCOL_ERROR),
    "unmasked ping": (frame(b"", opcode=PING, masked=False), PROTOCOL_ERROR),
    "RSV1": (frame(b"{}", opcode=TEXT, rsv=4), PROTOCOL_ERROR),
    "RSV2": (frame(b"{}", opcode=TEXT, rsv=2), PROTOCOL_ERROR),
    "RSV3": (frame(b"{}", opcode=TEXT, rsv=1), PROTOCOL_ERROR),
    **{
        f"opcode {opcode:#x}": (frame(b"", opcode=opcode), PROTOCOL_ERROR)
        for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)
    },
    "a fragmented ping": (frame(b"", opcode=PING, fin=0), PROTOCOL_ERROR),
    "a ping of 126": (frame(b"x" * 126, opcode=PING), PROTOCOL_ERROR),
    "a stray continuation": (frame(b"x", opcode=CONTINUATION), PROTOCOL_ERROR),
    "a text in a text": (
        frame(b"{", opcode=TEXT, fin=0) + frame(b"}", opcode=TEXT),
        PROTOCOL_ERROR,
    ),
    "a close of one byte": (frame(b"\x03", opcode=CLOSE), PROTOCOL_ERROR),
    **{
        f"close code {code}": (frame(code.to_bytes(2, "big"), opcode=CLOSE), PROTOCOL_ERROR)
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 65535)
    },
    "a close reason that is not UTF-8": (
        frame(b"\x03\xe8\xff", opcode=CLOSE),
        INVALID_UTF8,
    ),
    "a binary message": (frame(b"{}", opcode=BINARY), close_codes.UNSUPPORTED_DATA.code),
    "invalid UTF-8": (frame(b'{"a":"\xff"}', opcode=TEXT), INVALID_UTF8),
    "overlong UTF-8": (frame(b"\xc0\xaf", opcode=TEXT), INVALID_UTF8),
    "a surrogate": (frame(b"\xed\xa0\x80", opcode=TEXT), INVALID_UTF8),
    "UTF-8 cut short": (frame(b"\xe2\x82", opcode=TEXT), INVALID_UTF8),
    "invalid UTF-8 over fragments": (
        frame(b"\xe2", opcode=TEXT, fin=0) + frame(b"\x28\xa1", opcode=CONTINUATION),
        INVALID_UTF8,
    ),
    "a claim of 2^63 - 1 bytes": (b"\x81\xff" + b"\x7f" + b"\xff" * 7 + b"mask", TOO_BIG),
    "a length of 2^63": (b"\x81\xff" + b"\x80" + b"\0" * 7 + b"mask", PROTOCOL_ERROR),
    "a message over the limit": (frame(b"x" * (16 * 1024 + 1), opcode=TEXT), TOO_BIG),
    "fragments over the limit": (
        frame(b"x" * 10_000, opcode=TEXT, fin=0) + frame(b"x" * 10_000, opcode=CONTINUATION),
        TOO_BIG,
    ),
    "a length that is not minimal": (b"\x81\xfe\x00\x05mask" + b"\0" * 5, PROTOCOL_ERROR),
}


@pytest.mark.parametrize("name", FRAMES)
async def test_a_frame_that_breaks_the_rules_closes_with_its_code(
    shared: Deployment, client: Client, video: str, name: str
) -> None:
    """The close code of RFC 6455 section 7.4.1, for this viewer only."""
    data, code = FRAMES[name]
    async with await Wire.open(shared) as wire:
        assert (await wire.upgrade(video)).status == 101
        await wire.send(data)
        assert await wire.close_code() == code


MESSAGES = {
    "not JSON": "{type:1}",
    "nothing": "",
    "a list": "[]",
    "no type": "{}",
    "an unknown type": '{"type":"subscribe","ref":"r"}',
    "a type that is a number": '{"type":1}',
    "two objects": "{}{}",
    "an unknown field": '{"type":"pong","x":1}',
    "a comment without ref": '{"type":"comment","commentText":"x"}',
    "a comment without text": '{"type":"comment","ref":"r"}',
    "text that is a number": '{"type":"comment","ref":"r","commentText":1}',
    "a ref with a space": '{"type":"comment","ref":"a b","commentText":"x"}',
    "a ref of 65": json.dumps({"type": "comment", "ref": "r" * 65, "commentText": "x"}),
    "deep arrays": '{"type":"comment","ref":"r","commentText":' + "[" * 5000 + "]" * 5000 + "}",
    "unclosed depth": "[" * 16_000,
    "a lone surrogate": '{"type":"comment","ref":"r","commentText":"\\ud800"}',
    "empty text": '{"type":"comment","ref":"r","commentText":""}',
    "501 characters": json.dumps({"type": "comment", "ref": "r", "commentText": "x" * 501}),
    "a forged reply": json.dumps(
        {"type": "comment", "ref": "r", "commentText": "x", "replyToCommentID": FORGED_ID}
    ),
    "a forged reaction": json.dumps(
        {"type": "reaction", "ref": "r", "commentID": FORGED_ID, "reactionType": "like"}
    ),
    "an unknown reaction": '{"type":"reaction","ref":"r","reactionType":"boo"}',
    "no heart": '{"type":"reaction","ref":"r","reactionType":null}',
    "a token that is a number": '{"type":"auth","token":1}',
}


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_message_that_is_not_understood_is_answered(
    shared: Deployment, client: Client, video: str, name: str
) -> None:
    """`error` with a code of the table; the stream goes on, and nothing was stored."""
    async with await Wire.open(shared) as wire:
        assert (await wire.upgrade(video)).status == 101
        await wire.send_message({"type": "auth", "token": shared.token("ada"), "ref": "a1"})
        await wire.read_message("ack")
        await wire.send_frame(MESSAGES[name].encode())
        error = await wire.read_message("error")
        assert error["code"], error
        assert error["title"], error
        await wire.send_message({"type": "comment", "ref": "c1", "commentText": "still here"})
        assert (await wire.read_message("ack"))["ref"] == "c1"
    assert [one["commentText"] for one in await client.comments(video)] == ["still here"]


async def test_bad_messages_without_end_are_not_listened_to(
    shared: Deployment, client: Client, video: str
) -> None:
    """Message after message of rubbish ends in 4502."""
    async with await Wire.open(shared) as wire:
        assert (await wire.upgrade(video)).status == 101
        await wire.send(frame(b"rubbish", opcode=TEXT) * 5000)
        assert await wire.close_code() == close_codes.BAD_MESSAGE.code


async def test_a_flood_is_closed(deploy: Deploy) -> None:
    """Far more messages than `stream.uplink_messages` allows: 4429."""
    server = deploy(stream_uplink_messages="50")
    async with await Wire.open(server) as wire:
        assert (await wire.upgrade("flooded")).status == 101
        await wire.send(frame(b'{"type":"pong"}', opcode=TEXT) * 10_000)
        assert await wire.close_code() == close_codes.FLOOD.code


async def test_writing_over_a_socket_needs_a_token(shared: Deployment, video: str) -> None:
    """No token, a bad one, one of another video: `error` or a close that says why."""
    refusals = {"token_missing", "token_invalid", "token_expired", "wrong_video"}
    async with connect(shared) as client, await Wire.open(shared) as wire:
        assert (await wire.upgrade(video)).status == 101
        await wire.send_message({"type": "comment", "ref": "c", "commentText": "x"})
        assert (await wire.read_message("error"))["code"] == "token_missing"
        for token in (mint("ada", secret="z" * 40), mint("ada", ttl_s=-99), mint("a", video="b")):
            async with await Wire.open(shared) as other:
                assert (await other.upgrade(video)).status == 101
                await other.send_message({"type": "auth", "token": token, "ref": "a"})
                opcode, payload = await other.read_frame()
                while opcode == TEXT and json.loads(payload)["type"] != "error":
                    opcode, payload = await other.read_frame()
                if opcode == TEXT:
                    assert json.loads(payload)["code"] in refusals
                else:
                    assert int.from_bytes(payload[:2], "big") in {
                        close_codes.AUTH_REFUSED.code,
                        close_codes.TOKEN_EXPIRED.code,
                    }
        assert await client.comments(video) == []


async def test_a_room_that_requires_auth_sends_nothing_before_it(deploy: Deploy) -> None:
    """Not a count, not a comment; who never says who they are is closed with 4500."""
    server = deploy(auth_viewers="required", stream_auth_timeout="1")
    async with await Wire.open(server) as wire:
        assert (await wire.upgrade("private")).status == 101
        opcode, payload = await wire.read_frame()
        assert (opcode, int.from_bytes(payload[:2], "big")) == (
            CLOSE,
            close_codes.AUTH_TIMEOUT.code,
        )
    async with connect(server) as client:
        assert (await client.get("/live/private/comments")).status == 401
        headers = {"Accept": "text/event-stream"}
        answer = await client.request("GET", "/live/private/comments/stream", headers=headers)
        assert (answer.status, answer.code) == (401, "token_missing")
    async with await Wire.open(server) as wire:
        assert (await wire.upgrade("private")).status == 101
        await wire.send_message({"type": "auth", "token": server.token("ada")})
        assert (await wire.read_message("welcome", "ack"))["type"] in {"welcome", "ack"}


async def test_an_expired_token_ends_the_stream_where_viewers_must_be_known(
    deploy: Deploy,
) -> None:
    """4401 within 2 s of the expiry (the leeway is 0 here)."""
    server = deploy(auth_viewers="required", auth_leeway="0")
    async with await Wire.open(server) as wire:
        assert (await wire.upgrade("private")).status == 101
        await wire.send_message({"type": "auth", "token": server.token("ada", ttl_s=2)})
        await wire.read_message("welcome")
        assert await wire.close_code() == close_codes.TOKEN_EXPIRED.code


ORIGINS = [
    "null",
    "https://evil.example",
    "http://good.example",
    "https://good.example.evil.example",
    "https://evilgood.example",
    "https://good.example:444",
    "https://good.example@evil.example",
    "https://good.example.",
    "https://sub.good.example",
    "https://good.examplé",
    "ftp://good.example",
    "file://",
    "https://",
    "good.example",
    "*",
    "https://good.example, https://evil.example",
]


async def test_foreign_origins_may_not_connect(deploy: Deploy) -> None:
    """403 for every variant; the listed origin, in any case, and none at all are let in."""
    server = deploy(server_origins="https://good.example")
    for origin in ORIGINS:
        async with await Wire.open(server) as wire:
            answer = await wire.upgrade("v", headers={"Origin": origin})
            assert (answer.status, answer.code) == (403, "origin_refused"), origin
    for headers in ({"Origin": "https://good.example"}, {"Origin": "https://GOOD.example"}, {}):
        async with await Wire.open(server) as wire:
            assert (await wire.upgrade("v", headers=headers)).status == 101, headers


HANDSHAKES = {
    "an old version": {"Sec-WebSocket-Version": "8"},
    "a short key": {"Sec-WebSocket-Key": "c2hvcnQ="},
    "a key that is not base64": {"Sec-WebSocket-Key": "!" * 24},
    "an unknown subprotocol": {"Sec-WebSocket-Protocol": "chat"},
    "no upgrade": {"Upgrade": "h2c"},
}


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_a_bad_handshake_is_a_problem(
    shared: Deployment, client: Client, video: str, name: str
) -> None:
    """400 or 426 with a problem body."""
    async with await Wire.open(shared) as wire:
        answer = await wire.upgrade(video, headers=HANDSHAKES[name])
        assert answer.status in {400, 426}, answer
        assert answer.code in {"bad_request", "bad_subprotocol", "upgrade_required"}, answer


async def test_a_bad_position_is_refused_at_the_door(
    shared: Deployment, client: Client, video: str
) -> None:
    """A text that is no position: 400, before anything is sent."""
    for position in ("x", "-1", "9f:1", "0123456789abcdef:99999999999999999999", "%00"):
        async with await Wire.open(shared) as wire:
            answer = await wire.upgrade(video, query=f"?position={position}")
            assert (answer.status, answer.code) == (400, "bad_position"), position


async def test_a_dribbled_frame_and_endless_fragments_cost_no_memory(
    shared: Deployment, client: Client, video: str
) -> None:
    """Bytes one by one, and fragments without an end: bounded, closed, nobody notices."""
    before = shared.memory_kib()
    async with await Wire.open(shared) as wire:
        assert (await wire.upgrade(video)).status == 101
        whole = frame(b'{"type":"pong"}', opcode=TEXT)
        for byte in whole:
            await wire.send(bytes([byte]))
        await wire.send(frame(b"", opcode=TEXT, fin=0))
        await wire.send(frame(b"", opcode=CONTINUATION, fin=0) * 100_000)
        code = await wire.close_code()
        assert code in {PROTOCOL_ERROR, TOO_BIG, close_codes.FLOOD.code}
    assert shared.memory_kib() - before < 16 * 1024


async def test_pings_are_answered_between_fragments(
    shared: Deployment, client: Client, video: str
) -> None:
    """RFC 6455 section 5.4: a control frame may stand inside a fragmented message."""
    async with await Wire.open(shared) as wire:
        assert (await wire.upgrade(video)).status == 101
        await wire.send(frame(b'{"type":', opcode=TEXT, fin=0))
        await wire.send(frame(b"now", opcode=PING))
        await wire.send(frame(b'"pong"}', opcode=CONTINUATION))
        opcode, payload = await wire.read_frame()
        while opcode == TEXT:
            opcode, payload = await wire.read_frame()
        assert (opcode, payload) == (PONG, b"now")


async def test_a_reader_that_never_reads_holds_nobody_up(
    shared: Deployment, client: Client, video: str
) -> None:
    """It is skipped or closed; a viewer beside it sees everything in one piece."""
    async with await Wire.open(shared) as wire, Viewer(shared, video) as beside:
        assert (await wire.upgrade(video)).status == 101
        for i in range(300):
            assert (await client.post_comment(video, "ada", f"{i} " + "x" * 400)).status == 201
        await beside.wait_for(lambda seen: len(seen.comments) == 300, what="300 comments")
        assert len(beside.seen.segments) == 1


async def test_a_goodbye_is_answered(shared: Deployment, video: str) -> None:
    """A client's close frame comes back, and the connection ends."""
    stream = await SocketStream.open(shared, video, None)
    await stream.connection.close(1000)
    assert stream.connection.close_code == 1000
