"""A hub without a plane: sockets on both ends, frames that say their number, events gathered."""

import os
import select
import socket
import time
from collections.abc import Callable
from typing import Any, Self

from groundswell.cext import frames as encoder
from groundswell.cext._hub import Hub, HubFrame

DEADLINE_SECONDS = 20.0
CODES = (4500, 4401, 4008, 4009, 4429, 1002, 1003, 1007, 1009)  # in the order of `enum cause`
ROOM = 0
NAME = 7


def words(code: int) -> HubFrame:
    """The close frame of a code, for both ways to read."""
    return HubFrame(encoder.websocket_close(code, b""), b"event: closed\n\n")


def numbered(number: int, size: int = 0, mark: bytes = b"") -> HubFrame:
    """A text frame that says its number."""
    return HubFrame(encoder.websocket_text(b"%d:%b" % (number, mark) + b"x" * size))


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame of at most 125 bytes; the mask is of zeros."""
    return bytes((0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0)) + payload


def split(data: bytearray) -> list[tuple[int, bytes]]:
    """Take complete server frames off the front of what was received: opcode with RSV1, payload."""
    found = []
    while len(data) >= 2:
        size, head = data[1], 2
        if size >= 126:
            head = 4 if size == 126 else 10
            size = int.from_bytes(data[2:head], "big")
        if len(data) < max(head, 2) or len(data) < head + size:
            break
        found.append((data[0] & 0x7F, bytes(data[head : head + size])))
        del data[: head + size]
    return found


class Client:
    """The far end of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.data = bytearray()
        self.frames: list[tuple[int, bytes]] = []
        self.ended = False
        sock.settimeout(0)

    def read(self, size: int = 1 << 20) -> bool:
        """Receive what is there; False: nothing is."""
        try:
            data = self.sock.recv(size)
        except BlockingIOError:
            return False
        except ConnectionError:
            data = b""
        self.ended = not data
        self.data += data
        self.frames += split(self.data)
        return bool(data)

    def numbers(self) -> list[int]:
        return [int(payload.split(b":")[0]) for opcode, payload in self.frames if opcode == 1]


class Rig:
    """A running hub with one room on every thread, and what it told."""

    def __init__(self, *, threads: int = 1, **settings: int) -> None:
        options: dict[str, Any] = {
            "message_bytes": 16384,
            "flood_events": 1 << 30,
            "send_buffer": 65536,
            "private_bytes": 65536,
            "ping_interval_ms": 25_000,
            "pong_timeout_ms": 8_000,
            "message_ms": 20_000,
            "closing_ms": 3_000,
            "stuck_ms": 6_000,
            **settings,
        }
        self.hub = Hub(threads=threads, closes=[(code, words(code)) for code in CODES], **options)
        self.now = 1_000_000
        self.end = 0  # of the room's ring
        self.clients: dict[int, Client] = {}
        self.messages: list[tuple[int, bytes]] = []
        self.deflated: list[tuple[int, bytes]] = []  # of the messages
        self.closed: dict[int, int] = {}
        self.behind: list[int] = []
        self.arrived: list[tuple[int, str, bytes]] = []  # the test closes them
        self.passed: list[tuple[int, int]] = []
        self.hub.start(monotonic_ms=self.now, wall_ms=self.now)
        for thread in range(threads):
            self.hub.open_room(thread, ROOM, name=NAME, start=0)

    def connect(
        self,
        *,
        pair: tuple[socket.socket, socket.socket] | None = None,
        deflate: bool = False,
        leftover: bytes = b"",
    ) -> int:
        """Have the hub adopt one end; returns the handle of it."""
        ours, theirs = pair or socket.socketpair()
        handle = self.hub.adopt(
            os.dup(ours.fileno()),
            sse=False,
            deflate=deflate,
            ping_due_ms=self.now + 25_000,
            auth_due_ms=None,
            head=HubFrame(b""),
            leftover=leftover,
        )
        ours.close()
        self.clients[handle] = Client(theirs)
        return handle

    def join(self, handle: int, *private: HubFrame) -> None:
        self.hub.join(handle, index=ROOM, name=NAME, cursor=self.end, private=private)

    def publish(self, frame: HubFrame, *, keep: int = 1000) -> None:
        number, self.end = self.end, self.end + 1
        for thread in range(self.hub.threads):
            first = max(0, self.end - keep)
            self.hub.add_frame(thread, ROOM, frame, number=number, first=first)
            self.hub.begin_pass(thread, ROOM, number=number)

    def advance(self, ms: int) -> None:
        self.now += ms
        self.hub.tick(monotonic_ms=self.now, wall_ms=self.now)

    def take(self) -> None:
        messages, closed, behind, passed, deflated, arrived = self.hub.take()
        self.deflated += [messages[index] for index in deflated]
        self.messages += messages
        self.closed.update({handle: code for handle, code, _, _ in closed})
        self.behind += behind
        self.arrived += arrived
        self.passed += [(thread, number) for thread, _, number, _ in passed]

    def wait(self, condition: Callable[[], object], *readers: Client) -> None:
        """Take events and let these clients read until a condition holds."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        poll = select.poll()  # not select(), which knows no more than 1,024 files
        for file in (self.hub, *(client.sock for client in readers if not client.ended)):
            poll.register(file, select.POLLIN)
        while not condition():
            assert time.monotonic() < deadline, "it did not come"
            poll.poll(10)
            self.take()
            for client in readers:
                while not client.ended and client.read():
                    pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.hub.stop()
        self.take()
        del self.hub  # with its frames, which pytest would keep
        for client in self.clients.values():
            client.sock.close()
