"""The door of the native plane: streams begin in it, everything else passes through."""

import asyncio
import os

import pytest

from groundswell.contract.settings import ServerSettings

pytest.importorskip("groundswell.cext._hub", reason="the hub is not built here")

UPGRADE = (
    b"GET /live/v/comments/stream HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PAGE = b"GET /live/v/comments HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture(name="plane_kind")
def fixture_plane_kind():
    """Only this plane has a door."""
    return "native"


async def answer_of(wire):
    async with asyncio.timeout(10):
        return (await wire.reader.readuntil(b"\r\n\r\n")).decode()


async def test_a_stream_begins_in_the_door(site, open_wire):
    """Head and welcome come in one piece, and aiohttp has seen nothing of it."""
    wire = await open_wire(site.port)
    wire.writer.write(UPGRADE)
    assert (await answer_of(wire)).startswith("HTTP/1.1 101 ")
    await wire.message()  # it comes later: the room was opened first
    wire = await open_wire(site.port)
    wire.writer.write(UPGRADE)
    first = await wire.reader.read(65536)
    assert first.startswith(b"HTTP/1.1 101 ")
    assert b'"type":"welcome"' in first
    statistics = site.broker.door.statistics()
    assert (statistics.streams, statistics.accepted) == (2, 2)
    assert site.listener.connections == 0


async def test_a_page_passes_through_and_its_connection_is_kept(site, open_wire):
    """The first bytes are aiohttp's, and so is all that follows on the connection."""
    wire = await open_wire(site.port)
    for _ in range(3):
        wire.writer.write(PAGE)
        head = await answer_of(wire)
        assert head.startswith("HTTP/1.1 200 ")
        assert await wire.reader.readexactly(2) == b"[]"
    assert site.broker.door.statistics().streams == 0


async def test_a_request_in_pieces_passes_through(site, open_wire):
    """Also one that would become a stream: aiohttp puts it together, and the stream begins."""
    wire = await open_wire(site.port)
    for start in range(0, len(UPGRADE), 40):
        wire.writer.write(UPGRADE[start : start + 40])
        await asyncio.sleep(0.002)
    assert (await answer_of(wire)).startswith("HTTP/1.1 101 ")
    assert (await wire.message())["type"] == "welcome"


async def test_a_stream_may_follow_a_page_on_a_connection(site, open_wire):
    """A browser reuses its connections; the door has let go of this one long ago."""
    wire = await open_wire(site.port)
    wire.writer.write(PAGE)
    await answer_of(wire)
    await wire.reader.readexactly(2)
    wire.writer.write(UPGRADE)
    assert (await answer_of(wire)).startswith("HTTP/1.1 101 ")
    assert (await wire.message())["type"] == "welcome"
    assert site.broker.door.statistics().streams == 0


async def test_what_is_not_http_is_answered_as_ever(site, open_wire):
    """By the one who knows how."""
    wire = await open_wire(site.port)
    wire.writer.write(b"\x16\x03\x01hello\r\n\r\n")
    assert " 400 " in (await answer_of(wire)).splitlines()[0]


async def test_who_says_nothing_is_sent_away(make_site, open_wire, wait_until, clock):
    """408, after the time that a head may take."""
    site = await make_site(server=ServerSettings(header_timeout=1.0, origins=("*",)))
    wire = await open_wire(site.port)
    await wait_until(lambda: site.broker.door.statistics().accepted)
    clock.advance(5)  # the next tick of the plane tells it
    assert (await answer_of(wire)).startswith("HTTP/1.1 408 ")


async def test_a_closed_door_accepts_nobody(site, open_wire, wait_until):
    """Who is inside stays."""
    wire = await open_wire(site.port)
    wire.writer.write(PAGE)
    await answer_of(wire)
    await wire.reader.readexactly(2)
    site.listener.stop_accepting()

    def refused():
        return os.path.exists("/proc/net/tcp") and not listens(site_port)

    site_port = wire.writer.get_extra_info("peername")[1]
    await wait_until(refused)
    wire.writer.write(PAGE)
    assert (await answer_of(wire)).startswith("HTTP/1.1 200 ")


def listens(port):
    """Tell whether anybody on this machine listens on a port."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)
