"""What viewers can cost that do not read, and that everything at once breaks nothing."""

import contextlib
import gc
import random
import resource
import socket
import struct
from typing import ClassVar

import pytest

hub_module = pytest.importorskip("groundswell.cext._hub", reason="the hub is not built here")

from tests.cext.harness.hub import ROOM, Rig, masked, numbered, words  # noqa: E402 - need the hub

SO_MEMINFO = 55  # include/uapi/asm-generic/socket.h; fields of sock_diag(7)
WMEM_QUEUED = 5
DEAF = 1000
PAGE_KIB = resource.getpagesize() // 1024


def pairs(count):
    """Connected TCP sockets on loopback, the second of each with a small window."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        for _ in range(count):
            theirs = socket.socket()
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            theirs.connect(server.getsockname())
            yield server.accept()[0], theirs


def kernel_bytes(sock):
    """What the kernel holds of unsent bytes, with its own overhead."""
    return struct.unpack_from("9I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[WMEM_QUEUED]


def resident_kib():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * PAGE_KIB


@pytest.fixture(autouse=True)
def fixture_nothing_is_left():
    """No frame and no connection outlives the test."""
    gc.collect()
    before = hub_module.live_frames()
    yield
    gc.collect()
    assert hub_module.live_connections() == 0
    assert hub_module.live_frames() == before


def test_a_thousand_viewers_that_never_read_are_bounded_and_disturb_nobody():
    """At most 256 KB each in kernel and process together; they are cut as slow after 6 s."""
    with Rig() as rig, contextlib.ExitStack() as stack:
        watched = []
        for pair in pairs(DEAF):
            watched.append(stack.enter_context(pair[0].dup()))
            rig.join(rig.connect(pair=pair), numbered(0, 10_000))
        reader = rig.connect()
        client = rig.clients[reader]
        rig.join(reader)
        before, frames = resident_kib(), hub_module.live_frames()
        for number in range(1, 301):
            rig.publish(numbered(number, 10_000), keep=100)
            rig.wait(lambda n=number: client.frames and client.numbers()[-1] == n, client)
        assert client.numbers() == list(range(1, 301))
        user_bytes = 1024 * (resident_kib() - before) / DEAF
        assert max(kernel_bytes(sock) for sock in watched) + user_bytes < 256 * 1024
        held = hub_module.live_frames() - frames
        assert held < 300, "each holds the frame that it is in; they share it"
        stack.close()
        rig.advance(6_001)
        rig.wait(lambda: len(rig.closed) == DEAF)
        assert rig.hub.counters()["refused_slow"] == DEAF
        assert set(rig.closed.values()) == {4008}
        rig.publish(numbered(301))
        rig.wait(lambda: client.numbers()[-1] == 301, client)


class Storm:
    """A seeded mixture of everything that can happen to a hub."""

    ACTS: ClassVar = {  # and how often each
        "publish": 30,
        "connect": 12,
        "join": 12,
        "send": 8,
        "redact": 4,
        "close": 3,
        "hang_up": 3,
        "say": 10,
        "advance": 1,
        "dismiss": 0.2,
    }

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.rig = Rig(threads=2, send_buffer=4096)
        self.joined = set()
        self.starts = {}  # by handle: the numbers at which its cursor was set
        self.deleted = set()

    def act(self):
        (name,) = self.random.choices(list(self.ACTS), list(self.ACTS.values()))
        getattr(self, name)()

    def someone(self):
        known = [handle for handle in self.rig.clients if handle not in self.rig.closed]
        return self.random.choice(known) if known else None

    def publish(self):
        rig = self.rig
        rig.publish(numbered(rig.end, self.random.choice((0, 100, 5_000, 40_000)), b"text"), keep=8)

    def redact(self):
        rig = self.rig
        number = max(0, rig.end - self.random.randrange(1, 8))
        for thread in range(rig.hub.threads):
            rig.hub.swap_frame(thread, ROOM, numbered(number, 3, b"gone"), number=number)

    def dismiss(self):
        for thread in range(self.rig.hub.threads):
            self.rig.hub.dismiss(thread, ROOM, 4013, words(4013))

    def connect(self):
        if len(self.rig.clients) - len(self.rig.closed) < 60:
            handle = self.rig.connect()
            if self.random.random() < 0.8:
                self.enter(handle)

    def join(self):
        handle = self.someone()
        if handle is not None and self.rig.hub.thread_of(handle) >= 0:
            self.enter(handle)

    def enter(self, handle):
        self.rig.join(handle, numbered(-1, self.random.choice((0, 20_000))))
        self.starts.setdefault(handle, []).append(self.rig.end)

    def send(self):
        handle = self.someone()
        if handle is not None:
            self.rig.hub.send(handle, numbered(-1, 2_000))

    def close(self):
        handle = self.someone()
        if handle is not None:
            self.rig.hub.close(handle, 4013, words(4013))

    def hang_up(self):
        handle = self.someone()
        if handle is not None:
            self.rig.clients[handle].sock.close()
            self.rig.clients[handle].ended = True

    def say(self):
        handle = self.someone()
        if handle is None or self.rig.clients[handle].ended:
            return
        data = masked(self.random.choice((1, 9, 10)), b"hello") + b"\x01"
        try:
            self.rig.clients[handle].sock.send(data[: self.random.randrange(1, len(data))])
        except (BlockingIOError, ConnectionError):
            return

    def advance(self):
        self.rig.advance(self.random.choice((100, 1_000, 7_000)))

    def listen(self):
        """Half of the clients read something; who is behind joins again, as a room has it."""
        for client in self.rig.clients.values():
            if not client.ended and self.random.random() < 0.5:
                client.read(self.random.choice((10, 1_000, 100_000)))
        self.rig.take()
        for handle in self.rig.behind:
            if self.rig.hub.thread_of(handle) >= 0:
                self.enter(handle)
        self.rig.behind.clear()


@pytest.mark.parametrize("seed", range(5))
def test_everything_at_once_keeps_order_and_leaves_nothing(seed):
    """Joins, closes, rewritten frames, hang-ups and deadlines while frames are passed around."""
    storm = Storm(seed)
    for step in range(3_000):
        storm.act()
        if step % 4 == 0:
            storm.listen()
    rig = storm.rig
    assert rig.hub.viewers == len(rig.clients) - len(rig.closed)
    rig.close()
    assert len(rig.closed) == len(rig.clients)
    for handle, client in rig.clients.items():
        numbers = [number for number in client.numbers() if number >= 0]
        starts = set(storm.starts.get(handle, ()))
        for earlier, later in zip([None, *numbers], numbers, strict=False):
            assert later - 1 == earlier or later in starts, "a frame is missing, or came twice"
