"""What is particular to the native plane: how sockets reach it, and which machine has it."""

import errno
import os
import sys
from dataclasses import replace

import pytest

native_plane = pytest.importorskip("groundswell.broker.native_plane", reason="not built here")

from groundswell.broker import planes  # noqa: E402 - only with the hub
from groundswell.broker.asyncio_plane import AsyncioPlane  # noqa: E402
from groundswell.broker.plane import Variant  # noqa: E402
from groundswell.broker.planes import PlaneMissing, make_plane  # noqa: E402
from groundswell.broker.ring import Ring  # noqa: E402
from groundswell.contract.settings import StreamSettings  # noqa: E402
from tests.broker.harness.hall import Hall, private  # noqa: E402

SETTINGS = StreamSettings(plane="native", hub_threads=1)


class FakeTransport:
    """A transport whose socket nobody may take."""

    def __init__(self, *, unwritten=0):
        self.unwritten = unwritten
        self.aborted = False

    def set_protocol(self, protocol):
        self.protocol = protocol

    def is_closing(self):
        return False

    def get_write_buffer_size(self):
        return self.unwritten

    def get_extra_info(self, name):
        return sys.stdin

    def abort(self):
        self.aborted = True


@pytest.fixture(name="hall")
async def fixture_hall(events, clock, open_wire, monkeypatch):
    """The native plane behind a socket."""
    monkeypatch.setattr(native_plane, "TICK_SECONDS", 0.005)
    plane = make_plane(SETTINGS, clock=clock, jitter=lambda: 0.5)
    hall = Hall(plane, events, clock, open_wire)
    await hall.start()
    yield hall
    await hall.stop()


def adopt(plane, transport):
    begun = []
    plane.adopt(transport, variant=Variant.WEBSOCKET, begin=begun.append)
    return begun


async def test_the_head_is_written_before_anything_else(hall):
    """By the plane, on the socket itself."""
    wire, _ = await hall.connect(head=b"HTTP/1.1 101\r\n\r\n", private=[private("welcome")])
    assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 101\r\n\r\n"
    assert (await wire.message())["text"] == "welcome"


async def test_a_transport_with_an_unread_answer_is_cut(hall):
    """What is buffered for it cannot travel along."""
    transport = FakeTransport(unwritten=1)
    assert adopt(hall.plane, transport) == []
    assert transport.aborted


async def test_a_process_without_files_cuts_the_connection(hall, monkeypatch):
    """And goes on with the others."""

    def fail(fd):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", fail)
        transport = FakeTransport()
        assert adopt(hall.plane, transport) == []
    assert transport.aborted
    wire, _ = await hall.connect()
    hall.publish("hello")
    assert (await wire.message())["text"] == "hello"


async def test_nothing_is_adopted_after_the_stop(hall, wait_until):
    """A handshake that ends meanwhile finds its connection cut."""
    await hall.plane.stop()
    hall._options = {"variant": Variant.WEBSOCKET, "head": b"x"}
    wire = await hall._open_wire(hall.port)
    assert await wire.reader.read() == b""
    assert hall._handles.empty()


async def test_an_owner_that_fails_is_told_the_rest_all_the_same(hall, events, wait_until):
    """One viewer's session must not keep the others from being reported."""

    def fail(batch):
        raise RuntimeError("a session failed")

    events.messages = fail
    wire, handle = await hall.connect()
    wire.say(b"hello")
    hall.publish("one")
    await wait_until(lambda: hall.passes)
    wire.close()
    await wait_until(lambda: events.closes == [(handle, 0)])


async def test_a_dissolved_audience_gives_its_place_to_the_next(hall, wait_until):
    """What the hub still reports of the old one reaches nobody."""
    passes = []
    for _ in range(3):
        ring = Ring(seconds=5.0, limit_bytes=1 << 20)
        audience = hall.plane.audience(ring, passes.append)
        wire, handle = await hall.connect(joins=False)
        audience.join(handle, 0, ())
        ring.append(private("hello"), 0.0)
        audience.publish()
        assert (await wire.message())["text"] == "hello"
        audience.dissolve()
        assert len(audience) == 0
        assert audience.index == 1, "the hall's own has 0"
        wire.close()
        await wait_until(lambda h=handle: (h, 0) in hall.events.closes)


def test_the_settings_choose_the_plane(clock):
    """And how many threads it has; by default all cores but one."""
    loop = replace(SETTINGS, plane="asyncio")
    assert isinstance(make_plane(loop, clock=clock, jitter=lambda: 0.5), AsyncioPlane)
    cores = len(os.sched_getaffinity(0))
    assert native_plane.hub_threads(StreamSettings()) == max(1, cores - 1)
    assert native_plane.hub_threads(StreamSettings(hub_threads=5)) == 5


def test_a_machine_without_the_hub_says_what_to_set(clock, monkeypatch):
    """The native modules are not built, or it is not Linux."""
    monkeypatch.setitem(sys.modules, "groundswell.broker.native_plane", None)
    with pytest.raises(PlaneMissing, match=r"set stream\.plane to asyncio"):
        make_plane(SETTINGS, clock=clock, jitter=lambda: 0.5)


def test_unless_told_it_is_the_native_plane_where_the_hub_was_built(clock, monkeypatch):
    """And the event loop elsewhere, or where the pure twins are forced."""
    automatic = StreamSettings()
    assert planes.chosen(automatic) == "native"
    with monkeypatch.context() as patch:
        patch.setattr(planes, "EXTENSION_LOADED", False)
        assert isinstance(make_plane(automatic, clock=clock, jitter=lambda: 0.5), AsyncioPlane)
    monkeypatch.setattr(planes, "find_spec", lambda _: None)
    assert planes.chosen(automatic) == "asyncio"
