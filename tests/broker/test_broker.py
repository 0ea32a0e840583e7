"""One broker put together: its loops go on, its end is orderly."""

import asyncio

import pytest

from groundswell.contract.control import EVERY_VIDEO, Ban
from groundswell.contract.events import VERSION, encode
from groundswell.contract.ports.log import Topic


@pytest.fixture(name="dial")
def fixture_dial(open_wire):
    """Connect a WebSocket to a port and read its welcome."""

    async def dial(port, *, token=None):
        wire = await open_wire(port)
        wire.writer.write(
            b"GET /live/v/comments/stream HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
        if token is not None:
            wire.writer.write(f"Authorization: Bearer {token}\r\n".encode())
        wire.writer.write(b"\r\n")
        await wire.reader.readuntil(b"\r\n\r\n")
        assert (await wire.message())["type"] == "welcome"
        return wire

    return dial


async def test_viewers_are_counted_and_told(make_site, dial, monkeypatch):
    """Each new one changes the count of all."""
    monkeypatch.setattr("groundswell.broker.viewer_counts.CHANGED_SECONDS", 0.01)
    site = await make_site()
    first = await dial(site.port)
    second = await dial(site.port)
    for wire in (first, second):
        while "viewers" not in (update := await wire.message()) or update["viewers"] != 2:
            pass


async def test_housekeeping_goes_on_after_a_failure(make_site, monkeypatch, wait_until):
    """And one half's failure does not keep the other from its work."""
    monkeypatch.setattr("groundswell.broker.broker.HOUSEKEEPING_SECONDS", 0.001)
    site = await make_site()
    kept = []
    monkeypatch.setattr(site.broker._rooms, "housekeep", lambda: 1 / 0)
    monkeypatch.setattr(site.broker._reader, "housekeep", lambda: kept.append(1))
    await wait_until(lambda: len(kept) > 2)


async def test_a_lost_partition_sends_viewers_away_and_the_next_find_a_new_room(site, dial, world):
    """4013, then everything as before."""
    wire = await dial(site.port)
    site.broker._reader._close_one(world.partition())
    assert (await wire.close_code())[0] == 4013
    again = await dial(site.port)
    await world.write("hello")
    assert (await again.message())["comments"][0]["commentText"] == "hello"


async def test_a_ban_in_the_log_closes_the_streams_of_its_user(site, dial, world, clock):
    """4503, on every video or on this; the others go on."""
    ada, bob = await dial(site.port, token="ada"), await dial(site.port, token="bob")
    nobody = await dial(site.port)
    for wire, user, video in ((ada, "ada", "v"), (bob, "bob", EVERY_VIDEO)):
        ban = Ban(VERSION, video, user, None, "mo", clock.wall_ms())
        await world.log.append(Topic.CONTROL, 0, encode(ban), key=ban.key())
        assert await wire.close_code() == (4503, "banned")
    await world.write("hello")
    assert (await nobody.message())["comments"][0]["commentText"] == "hello"


async def test_a_stopped_broker_is_told_of_no_ban(make_site, world):
    """Nothing holds on to it."""
    site = await make_site()
    assert site.control._listeners
    await site.broker.stop()
    assert not site.control._listeners


async def test_the_end_leaves_no_task(make_site, dial, world):
    """Also without a drain before it, with viewers there."""
    before = asyncio.all_tasks()
    site = await make_site()
    await dial(site.port)
    await site.stop()
    names = {task.get_name() for task in asyncio.all_tasks() - before}
    assert not names & {"plane sweep", "partition reader", "broker housekeeping", "viewer counts"}
