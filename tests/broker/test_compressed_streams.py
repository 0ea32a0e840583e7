"""Deflated streams of a whole broker: real clients of two libraries, and bombs."""

import asyncio
import json
import zlib
from pathlib import Path

import pytest
from aiohttp import ClientSession
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from groundswell.cext.rfc6455 import DEFLATED_TEXT
from groundswell.contract.settings import StreamSettings

CHATTER = "the keeper has hands made of glue" * 8
MIB = 1 << 20
STATUS = Path("/proc/self/status")
ANSWER = (
    "Sec-WebSocket-Extensions: permessage-deflate; "
    "server_no_context_takeover; client_no_context_takeover\r\n"
)


def upgrade(extensions, query):
    return (
        f"GET /live/v/comments/stream{query} HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Extensions: {extensions}\r\n\r\n"
    ).encode()


def bomb(size, *, bits=15):
    """Deflate so many equal characters: about a thousandth of them is left."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -bits)
    data = deflater.compress(b"x" * size) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return data.removesuffix(b"\x00\x00\xff\xff")


def restart_peak_kib():
    """Return what is resident now; the peak is counted from here on (proc(5), `clear_refs`)."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_kib()


def peak_kib():
    """Return the most that was resident."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


@pytest.fixture(name="compressing")
async def fixture_compressing(make_site):
    """A broker with `stream.compression`."""
    return await make_site(stream=StreamSettings(compression=True))


@pytest.fixture(name="dial")
def fixture_dial(open_wire):
    """Offer extensions; returns the wire and the head of the answer."""

    async def dial(site, extensions="permessage-deflate", query=""):
        wire = await open_wire(site.port)
        wire.writer.write(upgrade(extensions, query))
        async with asyncio.timeout(10):
            return wire, (await wire.reader.readuntil(b"\r\n\r\n")).decode()

    return dial


def written(site):
    """Bytes of a room's frames, times viewers."""
    return site.broker.plane_statistics().bytes_written


async def write_and_watch(world, receive):
    """Write comments and return how many bytes of text a client had of them."""
    assert json.loads(await receive())["type"] == "welcome"
    await world.write(*(f"{number} {CHATTER}" for number in range(20)))
    texts, size = [], 0
    while len(texts) < 20:
        text = await receive()
        size += len(text)
        texts += [comment["commentText"] for comment in json.loads(text).get("comments", ())]
    assert texts == [f"{number} {CHATTER}" for number in range(20)]
    return size


async def test_it_is_off_unless_it_is_asked_for(site, dial):
    """The offer is passed over, and RSV1 means nothing."""
    wire, head = await dial(site)
    assert "Sec-WebSocket-Extensions" not in head
    await wire.message()
    wire.send(DEFLATED_TEXT, bomb(1))
    assert (await wire.close_code())[0] == 1002


async def test_an_offer_is_answered_and_kept(compressing, dial, world):
    """The answer names both parameters, always."""
    wire, head = await dial(compressing)
    assert ANSWER in head
    await wire.message()
    await world.write(CHATTER)
    assert (await wire.message())["comments"][0]["commentText"] == CHATTER
    assert wire.deflated > 0


async def test_an_offer_that_is_declined_makes_a_plain_stream(compressing, dial, world):
    """RFC 7692 section 5: none of it is in the answer."""
    wire, head = await dial(compressing, "permessage-deflate; server_max_window_bits=8")
    assert head.startswith("HTTP/1.1 101 ")
    assert "Sec-WebSocket-Extensions" not in head
    await wire.message()
    await world.write(CHATTER)
    assert (await wire.message())["comments"][0]["commentText"] == CHATTER
    assert wire.deflated == 0


async def test_what_a_resume_brings_is_plain(compressing, dial, world):
    """Each who comes back may have been cut elsewhere; what is live is shared again."""
    first, _ = await dial(compressing)
    position = (await first.message())["position"]
    await world.write(CHATTER, CHATTER)
    seen = 0
    while seen < 2:
        seen += len((await first.message())["comments"])
    assert first.deflated > 0
    second, _ = await dial(compressing, query=f"?position={position}")
    assert (await second.message())["recovered"]
    assert len((await second.message())["comments"]) == 2
    assert second.deflated == 0
    await world.write(CHATTER)
    assert len((await second.message())["comments"]) == 1
    assert second.deflated == 1


async def test_aiohttp_reads_and_writes(compressing, world, uplink):
    """With its own way to ask, and one inflater for all messages."""
    before = written(compressing)
    async with (
        ClientSession() as session,
        session.ws_connect(
            f"http://127.0.0.1:{compressing.port}/live/v/comments/stream", compress=15
        ) as stream,
    ):
        assert stream.compress == 15
        assert stream.client_notakeover
        size = await write_and_watch(world, stream.receive_str)
        for number in range(3):
            await stream.send_json({"type": "auth", "token": "ada", "ref": f"a{number}"})
            assert json.loads(await stream.receive_str())["ref"] == f"a{number}"
            text = f"{number} {CHATTER}"
            await stream.send_json({"type": "comment", "ref": f"c{number}", "commentText": text})
            assert json.loads(await stream.receive_str())["type"] == "ack"
    assert [text for _, text, _, _ in uplink.posted] == [f"{n} {CHATTER}" for n in range(3)]
    assert written(compressing) - before < size / 2


async def test_the_websockets_library_reads_and_writes(compressing, world, uplink):
    """It may ask for a window, and holds us to the answer."""
    offer = ClientPerMessageDeflateFactory(server_max_window_bits=12, client_max_window_bits=9)
    address = f"ws://127.0.0.1:{compressing.port}/live/v/comments/stream"
    before = written(compressing)
    async with connect(address, extensions=[offer]) as stream:
        (extension,) = stream.protocol.extensions
        assert extension.remote_max_window_bits == 12
        size = await write_and_watch(world, stream.recv)
        await stream.send('{"type":"auth","token":"ada","ref":"a"}')
        assert json.loads(await stream.recv())["ref"] == "a"
        message = json.dumps({"type": "comment", "ref": "c", "commentText": CHATTER})
        await stream.send([message[:20], message[20:40], message[40:]])  # in fragments
        assert json.loads(await stream.recv())["type"] == "ack"
    assert [text for _, text, _, _ in uplink.posted] == [CHATTER]
    assert written(compressing) - before < size / 2


@pytest.mark.skipif(not STATUS.exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    "size",
    [
        pytest.param(MIB, id="a thousand to one"),
        pytest.param(4 * MIB, id="4 KB to 4 MiB, the most that deflate can"),
        pytest.param(15 * MIB, id="15 MiB, from all that a message may have"),
    ],
)
async def test_a_bomb_closes_with_1009_and_costs_no_memory(compressing, dial, size):
    """Inflating ends at the limit of a plain message: less than 1 MiB more is ever resident."""
    data = bomb(size)
    assert len(data) <= 16 * 1024
    assert len(data) < size / 1000
    for _ in range(2):  # the first one brings in whatever this way needs once
        wire, _ = await dial(compressing)
        await wire.message()
        before = restart_peak_kib()
        wire.send(DEFLATED_TEXT, data)
        assert await wire.close_code() == (1009, "message over the limit")
        most = peak_kib()
    assert most - before < 1024
