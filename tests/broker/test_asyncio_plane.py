"""What is particular to the asyncio plane: turns of the loop, bounds of its transports."""

import asyncio

import pytest

from groundswell.broker import asyncio_plane
from groundswell.broker.asyncio_plane import AsyncioPlane
from groundswell.broker.frames import Frame
from groundswell.broker.plane import Variant
from groundswell.broker.ring import Ring
from groundswell.contract.close_codes import UNAVAILABLE
from groundswell.contract.settings import StreamSettings


class FakeTransport(asyncio.Transport):
    """Collects what is written; `fails` raises instead, `full` pauses the writer."""

    def __init__(self):
        super().__init__()
        self.written = []
        self.fails = False
        self.aborted = False
        self.protocol = None

    def set_protocol(self, protocol):
        self.protocol = protocol

    def set_write_buffer_limits(self, high=None, low=None):
        self.high = high

    def get_write_buffer_size(self):
        return 0

    def write(self, data):
        if self.fails:
            raise RuntimeError("write after end")
        self.written.append(data)

    def is_closing(self):
        return False

    def resume_reading(self):
        pass

    def can_write_eof(self):
        return True

    def write_eof(self):
        pass

    def abort(self):
        self.aborted = True


class Theatre:
    """Viewers on fake transports around one ring."""

    def __init__(self, clock, events):
        self.plane = AsyncioPlane(settings=StreamSettings(), clock=clock, jitter=lambda: 0.5)
        self.plane.events = events
        self.ring = Ring(seconds=5.0, limit_bytes=1 << 20)
        self.passes = []
        self.audience = self.plane.audience(self.ring, self.passes.append)
        self.transports = []

    def seat(self, count):
        for _ in range(count):
            transport = FakeTransport()
            self.transports.append(transport)
            self.plane.adopt(
                transport,
                variant=Variant.WEBSOCKET,
                begin=lambda handle: self.audience.join(handle, self.ring.end, ()),
            )

    def publish(self, text=b"x"):
        self.ring.append(Frame(b"update", "e:1", text), 0.0)
        self.audience.publish()


@pytest.fixture(name="theatre")
async def fixture_theatre(clock, events, monkeypatch):
    """Two viewers a turn of the loop."""
    monkeypatch.setattr(asyncio_plane, "SLICE_VIEWERS", 2)
    return Theatre(clock, events)


def counts(theatre):
    return [len(transport.written) for transport in theatre.transports]


async def test_a_pass_gives_the_loop_its_turn_between_slices(theatre):
    """A huge room holds nobody else up."""
    theatre.seat(5)
    theatre.publish()
    assert counts(theatre) == [1, 1, 0, 0, 0]
    await asyncio.sleep(0)
    assert counts(theatre) == [1, 1, 1, 1, 0]
    assert theatre.passes == []
    await asyncio.sleep(0)
    assert counts(theatre) == [1] * 5
    assert len(theatre.passes) == 1


async def test_a_frame_that_comes_while_a_pass_runs_reaches_everybody(theatre, wait_until):
    """Once each; the pass is over when all have both."""
    theatre.seat(5)
    theatre.publish(b"one")
    theatre.publish(b"two")
    await wait_until(lambda: theatre.passes)
    assert counts(theatre) == [2] * 5
    assert len(theatre.passes) == 1


async def test_a_viewer_that_fails_does_not_end_the_pass(theatre, wait_until):
    """It is cut; the room goes on, now and with the next frame."""
    theatre.seat(5)
    theatre.transports[2].fails = True
    theatre.publish()
    await wait_until(lambda: theatre.passes)
    assert counts(theatre) == [1, 1, 0, 1, 1]
    assert theatre.transports[2].aborted
    theatre.publish()
    await wait_until(lambda: len(theatre.passes) == 2)


async def test_a_dismissal_gives_the_loop_its_turn_between_slices(theatre):
    """Who has moved to another ring meanwhile stays; who fails is cut, and the others are told."""
    theatre.seat(5)
    theatre.transports[2].fails = True
    theatre.audience.dismiss(UNAVAILABLE)
    assert counts(theatre) == [0, 0, 0, 1, 1]
    mover = next(iter(theatre.plane.viewers))
    other = theatre.plane.audience(Ring(seconds=5.0, limit_bytes=1 << 20), lambda seconds: None)
    other.join(mover, 0, ())
    theatre.audience.dissolve()
    await asyncio.sleep(0)
    assert theatre.transports[2].aborted
    assert counts(theatre) == [0, 1, 0, 1, 1]
    await asyncio.sleep(0)
    assert counts(theatre) == [0, 1, 0, 1, 1]
    assert len(other) == 1


async def test_a_viewer_that_fails_does_not_end_the_sweep(theatre, monkeypatch, clock, wait_until):
    """The deadlines of the others are kept."""
    monkeypatch.setattr(asyncio_plane, "SWEEP_SECONDS", 0.001)
    theatre.seat(3)
    theatre.ring.ping = lambda: Frame(b"ping", "e:0", b"ping")
    theatre.transports[0].fails = True
    theatre.plane.start(theatre.plane.events)
    clock.advance(30)
    await wait_until(lambda: counts(theatre) == [0, 1, 1])
    clock.advance(9)
    await wait_until(lambda: counts(theatre) == [0, 2, 2])  # the close
    await theatre.plane.stop()


async def test_a_viewer_that_is_full_gets_the_rest_when_it_drains(theatre, wait_until):
    """From the ring: nothing is queued for it meanwhile."""
    theatre.seat(1)
    viewer = theatre.transports[0].protocol
    viewer.pause_writing()
    for _ in range(3):
        theatre.publish()
    assert counts(theatre) == [0]
    viewer.resume_writing()
    assert counts(theatre) == [3]


async def test_a_full_viewer_is_not_pinged(theatre):
    """Nor is one that has not everything up to the ping's position."""
    theatre.seat(1)
    viewer = theatre.transports[0].protocol
    theatre.ring.ping = lambda: Frame(b"ping", "e:0", b"ping")
    viewer.pause_writing()
    theatre.publish()
    assert not viewer.ping(0.0)
    viewer.blocked = False
    assert not viewer.ping(0.0)
    viewer.catch_up()
    assert viewer.ping(0.0)


async def test_a_dissolved_audience_ends_its_pass(theatre):
    """The slice that was scheduled finds nobody."""
    theatre.seat(5)
    theatre.publish()
    theatre.audience.dissolve()
    await asyncio.sleep(0)
    assert counts(theatre) == [1, 1, 0, 0, 0]


async def test_unsent_bytes_of_a_viewer_are_bounded(theatre):
    """By the transport, as the settings say."""
    theatre.seat(1)
    assert theatre.transports[0].high == StreamSettings().send_buffer
