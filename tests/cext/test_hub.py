"""The hub's connections one by one: writes that are cut, slots, deadlines, ends."""

import contextlib
import gc
import os
import socket

import pytest

hub_module = pytest.importorskip("groundswell.cext._hub", reason="the hub is not built here")

from groundswell.cext import frames as encoder  # noqa: E402 - they need the hub
from tests.cext.harness.hub import ROOM, Client, Rig, masked, numbered, words  # noqa: E402


@pytest.fixture(name="make_rig")
def fixture_make_rig():
    """Start hubs; at the end no frame and no connection is left of them."""
    gc.collect()
    before = hub_module.live_frames()
    rigs = []

    def make(**settings):
        rigs.append(Rig(**settings))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()
        assert sorted(rig.closed) == sorted(rig.clients), "each connection is reported once"
    rigs.clear()
    gc.collect()
    assert hub_module.live_connections() == 0
    assert hub_module.live_frames() == before


@pytest.fixture(name="rig")
def fixture_rig(make_rig):
    """A hub of one thread."""
    return make_rig()


def test_a_frame_that_is_cut_anywhere_arrives_whole(make_rig):
    """The socket takes a few KB at a time; nothing is lost, doubled or out of order."""
    rig = make_rig(send_buffer=1)  # the kernel makes it its least
    handle = rig.connect()
    client = rig.clients[handle]
    rig.join(handle, numbered(1000, 70_000), numbered(1001))
    for number in range(30):
        rig.publish(numbered(number, 3_001 * number))
    total = 32
    while len(client.frames) < total:
        rig.wait(lambda: client.read(997) or len(client.frames) == total)
    assert client.numbers() == [1000, 1001, *range(30)]
    sizes = [len(payload) for _, payload in client.frames[2:]]
    assert sizes == [len(b"%d:" % number) + 3_001 * number for number in range(30)]
    assert rig.hub.counters()["partial_writes"] > 30


def test_an_old_handle_is_unknown_once_its_slot_is_used_again(rig):
    """What is meant for who has gone reaches nobody else."""
    old = rig.connect()
    rig.clients[old].sock.close()
    rig.wait(lambda: old in rig.closed)
    new = rig.connect()
    assert new != old
    assert new & 0xFFFFFF == old & 0xFFFFFF, "the slot is used again"
    assert rig.hub.thread_of(old) == -1
    rig.hub.send(old, numbered(1))
    rig.hub.close(old, 4013, words(4013))
    with pytest.raises(KeyError):
        rig.join(old)
    rig.hub.send(new, numbered(2))
    client = rig.clients[new]
    rig.wait(lambda: client.frames, client)
    assert client.numbers() == [2]
    assert rig.hub.handles() == [new]


def test_connections_spread_over_all_threads(make_rig):
    """Each thread passes over its share, and says so."""
    rig = make_rig(threads=3)
    handles = [rig.connect() for _ in range(9)]
    for handle in handles:
        rig.join(handle)
    assert sorted(rig.hub.thread_of(handle) for handle in handles) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    rig.publish(numbered(5))
    clients = list(rig.clients.values())
    rig.wait(lambda: all(client.frames for client in clients), *clients)
    rig.wait(lambda: sorted(rig.passed) == [(0, 0), (1, 0), (2, 0)])


def test_a_rewritten_frame_goes_to_who_has_not_begun_the_old(rig):
    """Who is inside the old one finishes it."""
    inside, before = rig.connect(), rig.connect()
    rig.join(inside)
    secret = numbered(0, 400_000, b"secret")
    rig.publish(secret)
    rig.wait(lambda: rig.passed)
    rig.hub.swap_frame(0, ROOM, numbered(0, 10, b"gone"), number=0)
    rig.end = 0
    rig.join(before)
    clients = [rig.clients[inside], rig.clients[before]]
    rig.wait(lambda: all(client.frames for client in clients), *clients)
    assert clients[0].frames[0][1].startswith(b"0:secretxxx")
    assert clients[1].frames[0][1] == b"0:gone" + b"x" * 10


def test_clients_that_send_faster_than_they_are_heard_are_held_back(rig):
    """Their bytes stay in the kernel; later all come, in order."""
    handle = rig.connect()
    client = rig.clients[handle]
    chunk = b"".join(masked(1, b"%05d" % number) for number in range(1000))
    sent = 0
    for _ in range(100_000):  # more than every buffer on the way holds
        try:
            sent += client.sock.send(chunk[sent % len(chunk) :])
        except BlockingIOError:
            if rig.hub.counters()["client_messages"] > 5_000:
                break
    else:
        pytest.fail("the hub took everything")
    heard_at_most = rig.hub.counters()["client_messages"]
    assert heard_at_most < 50_000
    rest = (-sent) % 11
    while rest:
        rig.take()
        with contextlib.suppress(BlockingIOError):
            n = client.sock.send(chunk[sent % len(chunk) :][:rest])
            sent, rest = sent + n, rest - n
    rig.wait(lambda: len(rig.messages) == sent // 11)
    assert [text for _, text in rig.messages] == [b"%05d" % (n % 1000) for n in range(sent // 11)]


def test_a_message_that_dribbles_in_is_held_no_longer_than_it_lasts(rig):
    """Byte by byte, with a ping inside; the parser is the thread's again afterwards."""
    handle = rig.connect()
    client = rig.clients[handle]
    data = b"\x01\x83\0\0\0\0abc" + masked(9, b"ping") + b"\x80\x82\0\0\0\0de" + masked(1, b"next")
    for index in range(len(data)):
        client.sock.send(data[index : index + 1])
        rig.take()
    rig.wait(lambda: len(rig.messages) == 2 and client.frames, client)
    assert rig.messages == [(handle, b"abcde"), (handle, b"next")]
    assert client.frames == [(10, b"ping")]


def test_a_connection_that_ends_inside_a_message_leaves_nothing(rig):
    """The parser and its buffer go with it."""
    handle = rig.connect()
    rig.clients[handle].sock.send(b"\x01\xfe\x10\x00\0\0\0\0" + b"x" * 3000)
    rig.clients[handle].sock.close()
    rig.wait(lambda: rig.closed == {handle: 0})


def test_a_socket_that_cannot_be_watched_is_reported_closed(rig):
    """A file is no socket: epoll refuses it."""
    fd = os.open(__file__, os.O_RDONLY)
    handle = rig.hub.adopt(
        fd, sse=False, ping_due_ms=0, auth_due_ms=None, head=numbered(0), leftover=b""
    )
    rig.clients[handle] = Client(socket.socket())
    rig.wait(lambda: rig.closed == {handle: 0})


def test_a_dissolved_room_is_silent(rig):
    """Its viewers stay connected, and may join another; its pass ends unreported."""
    handle = rig.connect()
    client = rig.clients[handle]
    rig.join(handle)
    rig.publish(numbered(0))
    rig.wait(lambda: client.frames, client)
    rig.hub.dissolve(0, ROOM)
    rig.publish(numbered(1))
    rig.hub.open_room(0, ROOM + 1, name=8, start=0)
    rig.hub.join(handle, index=ROOM + 1, name=8, cursor=0, private=[numbered(2)])
    rig.wait(lambda: len(client.frames) == 2, client)
    assert client.numbers() == [0, 2]


def test_stopping_ends_everything_at_once(make_rig):
    """Whatever is under way: frames unsent, commands not carried out, a pass."""
    rig = make_rig(threads=2)
    for _ in range(200):
        rig.join(rig.connect())
    for number in range(50):
        rig.publish(numbered(number, 50_000))
    rig.hub.stop()
    rig.hub.stop()
    rig.take()
    assert len(rig.closed) == 200
    rig.publish(numbered(50))
    with pytest.raises(RuntimeError):
        rig.hub.adopt(0, sse=False, ping_due_ms=0, auth_due_ms=None, head=numbered(0), leftover=b"")


def test_a_hub_that_is_forgotten_stops(make_rig):
    """Its threads end with it; nothing hangs."""
    rig = make_rig(threads=2)
    handle = rig.connect()
    rig.join(handle)
    client = rig.clients.pop(handle)
    rig.hub = make_rig().hub  # the other rig stops it
    gc.collect()
    with client.sock:
        client.sock.settimeout(20)
        assert client.sock.recv(1) == b""


def test_limits_are_checked_where_a_hub_is_made():
    """What the table and the handles can hold."""
    for threads in (0, 256):
        with pytest.raises(ValueError, match="threads"):
            Rig(threads=threads)


def test_a_deadline_far_away_is_kept(rig):
    """Beyond one turn of the wheel, whose slots it meets many times."""
    handle = rig.connect()
    client = rig.clients[handle]
    rig.hub.expire(handle, rig.now + 1_000_000)
    for _ in range(10):
        rig.advance(99_990)
        client.sock.send(masked(10, b""))
    rig.hub.send(handle, numbered(1))
    rig.wait(lambda: client.frames, client)
    assert client.numbers() == [1]
    rig.advance(101)
    rig.wait(lambda: client.ended, client)
    assert client.frames[-1] == (8, (4401).to_bytes(2, "big"))
    assert encoder.websocket_close(4401, b"")[2:] == client.frames[-1][1]
