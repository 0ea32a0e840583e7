"""Dismissing a room: all are told, some at a time, while other rooms have their turns."""

import gc
import resource
import socket

import pytest

hub_module = pytest.importorskip("groundswell.cext._hub", reason="the hub is not built here")

from tests.cext.harness.hub import NAME, ROOM, Rig, numbered, words  # noqa: E402 - need the hub

OTHER = ROOM + 1
SLICE = 128  # SLICE_VIEWERS in cext/hub/internal.h
HUGE = 2_000
LARGE = 500
CODE = 4013


@pytest.fixture(name="rig")
def fixture_rig():
    """A hub of one thread with another room beside the usual one; nothing outlives it."""
    gc.collect()
    before = hub_module.live_frames()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files[1], files[1]))
    rig = Rig()
    rig.hub.open_room(0, OTHER, name=NAME + 1, start=0)
    yield rig
    rig.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, files)
    assert sorted(rig.closed) == sorted(rig.clients), "each connection is reported once"
    del rig
    gc.collect()
    assert hub_module.live_connections() == 0
    assert hub_module.live_frames() == before


def join_other(rig, handle):
    rig.hub.join(handle, index=OTHER, name=NAME + 1, cursor=0, private=())


def fill(rig, count):
    """Connect so many members of the usual room; returns their clients."""
    handles = [rig.connect() for _ in range(count)]
    for handle in handles:
        rig.join(handle)
    return [rig.clients[handle] for handle in handles]


def told(client):
    """Whether the client has read that it was dismissed, and the end behind it."""
    while not client.ended and client.read():
        pass
    return client.ended and client.frames == [(8, CODE.to_bytes(2, "big"))]


def test_another_room_gets_its_frame_while_a_huge_one_is_dismissed(rig):
    """Both have turns of 128: a room a quarter as large is served before the huge one is closed.

    The last of each to have its turn write into the same socket, which tells who came first.
    """
    shared, theirs = socket.socketpair()
    twin = shared.dup()
    last_dismissed = rig.connect(pair=(shared, theirs))
    rig.join(last_dismissed)
    fill(rig, HUGE)
    readers = [rig.connect() for _ in range(LARGE)]
    last_reader = rig.connect(pair=(twin, socket.socket()))
    for handle in (*readers, last_reader):
        join_other(rig, handle)
    rig.hub.add_frame(0, OTHER, numbered(1), number=0, first=0)
    rig.hub.begin_pass(0, OTHER, number=0)
    rig.hub.dismiss(0, ROOM, CODE, words(CODE))
    client = rig.clients[last_dismissed]
    rig.wait(lambda: client.ended, client)
    assert [opcode for opcode, _ in client.frames] == [1, 8], "it was dismissed first"


def test_all_are_told_of_a_dismissal_whose_room_is_dissolved_at_once(rig):
    """And the room that is opened under the same index has nothing to do with it."""
    clients = fill(rig, 10 * SLICE)
    rig.hub.dismiss(0, ROOM, CODE, words(CODE))
    rig.hub.dissolve(0, ROOM)
    rig.hub.open_room(0, ROOM, name=NAME + 2, start=0)
    newcomer = rig.connect()
    rig.join(newcomer)
    rig.publish(numbered(0))
    client = rig.clients[newcomer]
    rig.wait(lambda: client.frames, client)
    assert client.numbers() == [0]
    rig.wait(lambda: all(told(client) for client in clients))
    assert not client.ended
    rig.advance(3_001)  # they do not close their half
    rig.wait(lambda: len(rig.closed) == len(clients))
    assert set(rig.closed.values()) == {CODE}


def test_a_dismissal_is_over_once_nobody_is_left(rig):
    """Again: nothing; whoever joins the room later stays and gets its frames."""
    clients = fill(rig, 2 * SLICE + 1)
    for _ in range(2):
        rig.hub.dismiss(0, ROOM, CODE, words(CODE))
    rig.wait(lambda: all(told(client) for client in clients))
    rig.hub.dismiss(0, ROOM, CODE, words(CODE))  # of nobody
    later = rig.connect()
    rig.join(later)
    rig.publish(numbered(0))
    client = rig.clients[later]
    rig.wait(lambda: client.frames, client)
    assert (client.numbers(), client.ended) == ([0], False)
    rig.wait(lambda: (0, 0) in rig.passed)


def test_a_pass_that_is_under_way_ends_with_the_dismissal(rig):
    """Its end is reported, or the room would never send again."""
    fill(rig, 10 * SLICE)
    rig.publish(numbered(0))
    rig.hub.dismiss(0, ROOM, CODE, words(CODE))
    rig.publish(numbered(1))
    rig.wait(lambda: (0, 1) in rig.passed)


def test_stopping_in_the_middle_of_a_dismissal_leaves_nothing(rig):
    """Also where its room is dissolved, so that no index leads to it."""
    fill(rig, 10 * SLICE)
    rig.hub.dismiss(0, ROOM, CODE, words(CODE))
    rig.hub.dissolve(0, ROOM)
    rig.hub.stop()
    rig.take()
    assert len(rig.closed) == len(rig.clients)
