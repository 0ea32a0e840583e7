"""How a stream starts, over real sockets; and what we rely on in aiohttp."""

import asyncio
import inspect
import json

import pytest
from aiohttp.web_protocol import RequestHandler

from groundswell.contract.settings import AuthSettings, ServerSettings

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3
UPGRADE = {
    "Host": "test",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


def request(*, video="v", query="", **changes):
    """Write a request; a header given as None is left out."""
    headers = UPGRADE | {name.replace("_", "-"): value for name, value in changes.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
    return f"GET /live/{video}/comments/stream{query} HTTP/1.1\r\n{head}\r\n".encode(
        "utf-8", "surrogateescape"
    )


SSE = {
    "Upgrade": None,
    "Connection": None,
    "Sec_WebSocket_Version": None,
    "Sec_WebSocket_Key": None,
    "Accept": "text/event-stream",
}


@pytest.fixture(name="dial")
def fixture_dial(site, open_wire):
    """Send a request; returns the wire and the head of the answer."""

    async def dial(data, *, port=None):
        wire = await open_wire(port or site.port)
        wire.writer.write(data)
        async with asyncio.timeout(10):
            return wire, (await wire.reader.readuntil(b"\r\n\r\n")).decode(errors="replace")

    return dial


def masked(payload, opcode=1):
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload


def test_aiohttp_still_keeps_what_was_read_behind_an_upgrade():
    """`_message_tail` is private: whoever updates aiohttp must see this first."""
    assert RequestHandler._message_tail is not None or "_message_tail" in RequestHandler.__slots__
    source = inspect.getsource(RequestHandler.data_received)
    assert "self._message_tail += data" in source
    assert "transport" in inspect.signature(RequestHandler.connection_made).parameters


async def test_an_upgrade_becomes_a_stream(dial):
    """The answer of RFC 6455 section 4.2.2, then `welcome`."""
    wire, head = await dial(request())
    assert head.startswith("HTTP/1.1 101 ")
    assert f"Sec-WebSocket-Accept: {ACCEPT}\r\n" in head
    assert "Sec-WebSocket-Protocol" not in head
    welcome = await wire.message()
    assert (welcome["type"], welcome["recovered"]) == ("welcome", False)
    assert welcome["limits"] == {"text": 500, "message_bytes": 16384, "ping_interval": 25.0}


async def test_live_comments_follow(dial, world):
    """From the log to the socket."""
    wire, _ = await dial(request())
    await wire.message()
    (comment_id,) = await world.write("hello")
    update = await wire.message()
    assert [comment["commentID"] for comment in update["comments"]] == [comment_id]


async def test_frames_right_behind_the_request_are_not_lost(dial, uplink):
    """A client may send before it has read the 101."""
    auth = masked(json.dumps({"type": "auth", "token": "ada", "ref": "a1"}).encode())
    comment = {"type": "comment", "ref": "c", "commentText": "x"}
    wire, _ = await dial(request() + auth + masked(json.dumps(comment).encode()))
    answers = [await wire.message() for _ in range(3)]
    assert sorted(answer["type"] for answer in answers) == ["ack", "ack", "welcome"]
    assert uplink.posted == [("ada", "x", None, "c")]


async def test_a_frame_cut_in_two_behind_the_request_is_put_together(dial):
    """Half came with the request, half later."""
    frame = masked(b'{"type":"auth","token":"ada","ref":"a1"}')
    wire, _ = await dial(request() + frame[:9])
    wire.writer.write(frame[9:])
    answers = [await wire.message() for _ in range(2)]
    assert {"type": "ack", "ref": "a1"} in answers


async def test_an_unmasked_frame_ends_the_stream(dial):
    """1002, also right behind the request."""
    wire, _ = await dial(request() + b"\x81\x01x")
    assert (await wire.close_code())[0] == 1002


async def test_the_subprotocol_is_chosen_where_it_is_offered(dial):
    """Among others; others only are refused."""
    _, head = await dial(request(Sec_WebSocket_Protocol="chat, groundswell.v1"))
    assert "Sec-WebSocket-Protocol: groundswell.v1\r\n" in head
    _, head = await dial(request(Sec_WebSocket_Protocol="chat"))
    assert head.startswith("HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Connection": "keep-alive"}, 400),
        ({"Sec_WebSocket_Version": "8"}, 400),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Sec_WebSocket_Key": "ä" * 24}, 400),
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Authorization": "Bearer forged"}, 401),
        ({"Authorization": "Basic x"}, 401),
        ({"query": "?position=nonsense"}, 400),
        ({"video": "missing"}, 404),
        (SSE | {"Accept": "text/html"}, 426),
    ],
)
async def test_what_is_not_a_stream_is_refused_with_a_problem(dial, changes, status):
    """Before the upgrade, so that every client can read why."""
    _, head = await dial(request(**changes))
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "application/problem+json" in head


@pytest.mark.parametrize("line_end", [b" HTTP/1.0\r\n", b"\r\n"])
async def test_an_upgrade_needs_the_version_that_has_upgrades(dial, line_end):
    """RFC 6455 section 4.2.1: HTTP/1.1 or higher; without a version it would be HTTP/0.9."""
    _, head = await dial(request().replace(b" HTTP/1.1\r\n", line_end))
    assert head.split()[1] == "400"
    assert "application/problem+json" in head


@pytest.mark.parametrize("line", ["Sec-WebSocket-Key: " + KEY, "Sec-WebSocket-Version: 13"])
async def test_what_must_come_once_may_not_come_twice(dial, line):
    """RFC 6455 sections 11.3.1 and 11.3.5: a proxy might have looked at the other one."""
    twice = request().replace(b"\r\n\r\n", f"\r\n{line}\r\n\r\n".encode())
    _, head = await dial(twice)
    assert head.startswith("HTTP/1.1 400 ")


async def test_a_banned_user_gets_no_stream(dial, uplink):
    """A token in the request says who it is before there is a stream to close."""
    uplink.banned.add("ada")
    for shape in ({}, SSE):
        wire, head = await dial(request(**shape, Authorization="Bearer ada"))
        assert head.startswith("HTTP/1.1 403 ")
        assert b'"code":"banned"' in await wire.read_until(b"}")


async def test_a_foreign_origin_is_refused(dial, make_site):
    """A page of somebody else may not connect with its visitors' rights."""
    site = await make_site(server=ServerSettings(origins=("https://page.example",)))
    _, head = await dial(request(Origin="https://page.example"), port=site.port)
    assert head.startswith("HTTP/1.1 101 ")
    _, head = await dial(request(Origin="https://evil.example"), port=site.port)
    assert head.startswith("HTTP/1.1 403 ")


async def test_a_draining_server_takes_no_new_stream(dial, site, uplink, monkeypatch):
    """Also one whose request came before the drain began: it would be told nothing."""
    reached, go = asyncio.Event(), asyncio.Event()

    async def wait(video_id):
        reached.set()
        await go.wait()

    monkeypatch.setattr(uplink, "require_video", wait)
    dialling = asyncio.create_task(dial(request(video="unknown")))
    await reached.wait()
    await site.broker.drain()
    go.set()
    _, head = await dialling
    assert head.startswith("HTTP/1.1 503 ")


async def test_server_sent_events_say_the_same(dial, world):
    """`welcome` and `update` with their positions as ids."""
    wire, head = await dial(request(**SSE))
    assert head.startswith("HTTP/1.1 200 ")
    assert "Content-Type: text/event-stream\r\n" in head
    await wire.read_until(b"event: welcome\nid: ")
    await world.write("hello")
    text = await wire.read_until(b"event: update\nid: ")
    await wire.read_until(b'"commentText":"hello"')
    assert text.count(b"event: welcome") == 1


@pytest.mark.parametrize("origin", ["https://page.example", "h\udce4\udc80"])
async def test_an_allowed_origin_may_read_server_sent_events(dial, origin):
    """Its header comes back as it came, whatever its bytes."""
    wire, head = await dial(request(**SSE, Origin=origin))
    assert head.startswith("HTTP/1.1 200 ")
    await wire.read_until(b"event: welcome")


async def test_an_event_source_resumes_from_its_newest_position(dial, world):
    """It repeats the URL's old position and adds a header."""
    await world.write("a", "b", "c")
    wire, _ = await dial(request(**SSE))
    text = await wire.read_until(b"\n\n")
    epoch = text.partition(b"id: ")[2].partition(b":")[0].decode()
    wire, _ = await dial(request(**SSE, query=f"?position={epoch}:0", Last_Event_ID=f"{epoch}:2"))
    text = await wire.read_until(b'"commentText":"c"')
    assert b'"commentText":"b"' not in text
    assert b'"recovered":true' in text


async def test_where_viewers_must_be_known_nothing_comes_before_auth(make_site, dial):
    """Not even a welcome; SSE needs its token in the request."""
    site = await make_site(auth=AuthSettings(viewers="required"))
    wire, head = await dial(request(), port=site.port)
    assert head.startswith("HTTP/1.1 101 ")
    wire.say({"type": "auth", "token": "ada", "ref": "a1"})
    assert await wire.message() == {"type": "ack", "ref": "a1"}
    assert (await wire.message())["type"] == "welcome"
    _, head = await dial(request(**SSE), port=site.port)
    assert head.startswith("HTTP/1.1 401 ")
    wire, head = await dial(request(**SSE, Authorization="Bearer ada"), port=site.port)
    await wire.read_until(b"event: welcome")


async def test_a_stream_leaves_nothing_in_aiohttp(dial, site):
    """A viewer costs no connection object and no task there."""
    wire, _ = await dial(request())
    await wire.message()
    assert site.listener.connections == 0
    assert site.broker.plane_statistics().viewers == 1
