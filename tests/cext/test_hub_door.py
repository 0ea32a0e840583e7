"""The hub's door: connections are accepted, read once and handed over, whatever they say."""

import contextlib
import gc
import os
import resource
import select
import socket
import time

import pytest

hub_module = pytest.importorskip("groundswell.cext._hub", reason="the hub is not built here")

from tests.cext.harness.hub import Rig, numbered  # noqa: E402 - it needs the hub

PATIENCE_MS = 10_000
TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\n\r\n"
DEADLINE_SECONDS = 10


class Hallway:
    """A hub that listens on a free port."""

    def __init__(self, rig: Rig, host: str = "127.0.0.1") -> None:
        self.rig = rig
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as listening:
            listening.bind((host, 0))
            listening.listen(256)
            self.address = listening.getsockname()[:2]
            rig.hub.listen(
                os.dup(listening.fileno()),
                patience_ms=PATIENCE_MS,
                too_late=hub_module.HubFrame(TOO_LATE),
            )
        self.clients: list[socket.socket] = []

    def connect(self, said: bytes = b"") -> socket.socket:
        client = socket.create_connection(self.address, timeout=DEADLINE_SECONDS)
        if said:
            client.sendall(said)
        self.clients.append(client)
        return client

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for fd, _, _ in self.rig.arrived:
            with contextlib.suppress(OSError):
                os.close(fd)


@pytest.fixture(name="open_hallway")
def fixture_open_hallway():
    """Start hubs that listen."""
    made = []

    def start(host="127.0.0.1", **settings):
        made.append(Hallway(Rig(**settings), host))
        return made[-1]

    yield start
    for hallway in made:
        hallway.rig.close()
        hallway.close()
    assert hub_module.live_connections() == 0


@pytest.fixture(name="no_new_files")
def fixture_no_new_files():
    """While the context lasts this process can open nothing."""

    @contextlib.contextmanager
    def forbid():
        gc.collect()  # what it would close meanwhile could be opened again
        gc.disable()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            gc.enable()

    return forbid


def test_a_connection_arrives_with_its_first_bytes(open_hallway):
    """Whatever they are: what they mean is the owner's business."""
    hallway = open_hallway()
    client = hallway.connect(b"\x00hello\xff")
    hallway.rig.wait(lambda: hallway.rig.arrived)
    [(fd, address, data)] = hallway.rig.arrived
    assert (address, data) == ("127.0.0.1", b"\x00hello\xff")
    os.write(fd, b"yours")
    assert client.recv(10) == b"yours"


def test_an_address_of_ipv6_is_told(open_hallway):
    """As text, without its brackets."""
    try:
        hallway = open_hallway("::1")
    except OSError:
        pytest.skip("no IPv6 on this machine")
    hallway.connect(b"x")
    hallway.rig.wait(lambda: hallway.rig.arrived)
    assert hallway.rig.arrived[0][1] == "::1"


def test_who_speaks_late_arrives_then(open_hallway):
    """Nothing is told of a connection before it says something."""
    hallway = open_hallway()
    silent = [hallway.connect() for _ in range(5)]
    hallway.connect(b"first")
    hallway.rig.wait(lambda: hallway.rig.arrived)
    silent[3].sendall(b"then")
    hallway.rig.wait(lambda: len(hallway.rig.arrived) == 2)
    assert [data for _, _, data in hallway.rig.arrived] == [b"first", b"then"]


def test_who_says_nothing_is_sent_away(open_hallway):
    """With last words, after its patience and not before; the others in their turn."""
    hallway = open_hallway()
    early = hallway.connect()
    wait_accepted(hallway, 1)
    hallway.rig.advance(PATIENCE_MS // 2)
    settle(hallway.rig)  # or who comes now might come before the hub knows what time it is
    late = hallway.connect()
    wait_accepted(hallway, 2)
    hallway.rig.advance(PATIENCE_MS // 2)
    assert early.recv(100) == TOO_LATE
    assert early.recv(100) == b""
    assert not select.select([late], [], [], 0)[0]
    late.sendall(b"x")
    hallway.rig.wait(lambda: hallway.rig.arrived)


def test_who_leaves_without_a_word_is_forgotten(open_hallway):
    """Its descriptor too: the next one gets it."""
    hallway = open_hallway()
    settle(hallway.rig)  # the door has a file of its own
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(200):
        hallway.connect().close()
    wait_accepted(hallway, 200)
    hallway.rig.wait(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_a_burst_is_taken_whole(open_hallway):
    """More than one turn, more than the rows that there were."""
    hallway = open_hallway()
    for number in range(200):
        hallway.connect(b"%d" % number)
        hallway.connect()
    hallway.rig.wait(lambda: len(hallway.rig.arrived) == 200)
    assert {data for _, _, data in hallway.rig.arrived} == {b"%d" % n for n in range(200)}


def test_nobody_is_accepted_after_the_end(open_hallway):
    """Who was accepted before may still speak."""
    hallway = open_hallway()
    waiting = hallway.connect()
    wait_accepted(hallway, 1)
    hallway.rig.hub.stop_listening()
    hallway.rig.hub.stop_listening()

    def refused():
        try:
            socket.create_connection(hallway.address, timeout=1).close()
        except OSError:
            return True
        return False

    hallway.rig.wait(refused)
    waiting.sendall(b"x")
    hallway.rig.wait(lambda: hallway.rig.arrived)


def test_without_files_it_rests_and_goes_on(open_hallway, no_new_files):
    """EMFILE is counted, costs no loop, and ends with the next tick."""
    hallway = open_hallway()
    clients = [socket.socket() for _ in range(4)]
    hallway.clients += clients
    with no_new_files():
        for client in clients:
            client.connect(hallway.address)
            client.sendall(b"x")
        hallway.rig.wait(lambda: hallway.rig.hub.counters()["accept_failures"])
        assert not hallway.rig.arrived
    hallway.rig.advance(1000)
    hallway.rig.wait(lambda: len(hallway.rig.arrived) == len(clients))
    assert hallway.rig.hub.counters()["accept_failures"] == 1


def test_what_nobody_took_is_closed_with_the_hub(open_hallway):
    """A socket in an event that is never read must not stay open."""
    rig = Rig()
    hallway = Hallway(rig)
    client = hallway.connect(b"x")
    poll = select.poll()
    poll.register(rig.hub, select.POLLIN)
    assert poll.poll(DEADLINE_SECONDS * 1000)
    del rig.hub, hallway.rig, rig
    assert client.recv(1) == b""
    client.close()


def settle(rig):
    """Wait until the hub has carried out everything that it was told."""
    passes = len(rig.passed)
    rig.publish(numbered(0))
    rig.wait(lambda: len(rig.passed) > passes)


def wait_accepted(hallway, count):
    """Wait until so many connections were accepted."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while hallway.rig.hub.counters()["accepted"] < count:
        assert time.monotonic() < deadline, "not accepted"
        hallway.rig.take()
