"""Target: connections of the hub, which reads a client's stream and answers it.

What must come back is worked out from the parser's twin: messages to the owner, a pong for each
ping, and the close that the stream deserves; and then nothing of it may be left.
"""

import os
import select
import socket

from groundswell.cext import _hub, frames, pure_websocket
from groundswell.cext.websocket import CLOSE, PING, TEXT
from groundswell.contract.close_codes import NORMAL
from tests.cext.harness.hub import DEADLINE_SECONDS, NAME, ROOM, Rig

MESSAGE_BYTES = 300
HEAD = 1  # bytes of an input before the stream: how much of it comes behind the request
READ_BYTES = 1 << 20


class Connections:
    """Input: how much of the stream was read with the request, and a client's stream."""

    def __init__(self) -> None:
        self._rig = Rig(message_bytes=MESSAGE_BYTES, send_buffer=1 << 20, private_bytes=1 << 20)

    def __call__(self, data: bytes) -> None:
        if len(data) < HEAD:
            return
        stream = data[HEAD:]
        leftover, sent = stream[: data[0]], stream[data[0] :]
        ours, theirs = socket.socketpair()
        with theirs:
            hub = self._rig.hub
            handle = hub.adopt(
                ours.detach(),
                sse=False,
                ping_due_ms=_hub.NEVER,
                auth_due_ms=None,
                head=_hub.HubFrame(b""),
                leftover=leftover,
            )
            hub.join(handle, index=ROOM, name=NAME, cursor=0, private=())
            answer = exchange(theirs, sent)
        messages, code = self._until_closed(handle)
        assert (messages, code, answer) == expected(stream)
        assert _hub.live_connections() == 0

    def close(self) -> None:
        """End the hub."""
        self._rig.close()

    def _until_closed(self, handle: int) -> tuple[list[bytes], int]:
        texts: list[bytes] = []
        hub = self._rig.hub
        poll = select.poll()
        poll.register(hub, select.POLLIN)
        while True:
            assert poll.poll(DEADLINE_SECONDS * 1000), "the hub hangs"
            os.read(hub.fileno(), 8)
            messages, closed, *_ = hub.take()
            assert all(owner == handle for owner, _ in messages)
            texts += [text for _, text in messages]
            if closed:
                assert [who for who, _, _, _ in closed] == [handle]
                return texts, closed[0][1]


def exchange(sock: socket.socket, data: bytes) -> bytes:
    """Say all of it and goodbye; return what comes until the other end closes."""
    received = bytearray()
    try:
        sock.settimeout(DEADLINE_SECONDS)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while piece := sock.recv(READ_BYTES):
            received += piece
    except ConnectionError:
        pass  # it had enough before it had heard all
    return bytes(received)


def expected(stream: bytes) -> tuple[list[bytes], int, bytes]:
    """Return the messages, the code of the end and the bytes that answer a stream."""
    parser = pure_websocket.Parser(message_bytes=MESSAGE_BYTES)
    texts: list[bytes] = []
    code = 0
    answer = b""
    for opcode, payload in parser.feed(stream):
        if opcode == TEXT:
            texts.append(payload)
        elif opcode == PING:
            answer += frames.websocket_pong(payload)
        elif opcode == CLOSE:
            code = int.from_bytes(payload[:2], "big") or NORMAL.code
    code = code or parser.failed
    return texts, code, answer + (frames.websocket_close(code, b"") if code else b"")
