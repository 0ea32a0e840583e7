"""A small HTTP/1.1 client: keep-alive connections, one request each at a time.

A general client costs more than the servers under test, and shares their cores here.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, cast

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class Answer(NamedTuple):
    """What a server said; status 0: the connection ended before it said anything."""

    status: int
    body: bytes


LOST = Answer(0, b"")


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._have = b""
        self._answer: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # TCP has no other

    def data_received(self, data: bytes) -> None:
        self._have += data
        head, found, body = self._have.partition(_HEAD_END)
        if not found:
            return
        at = head.lower().find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) >= length:
            self._have = b""
            self._settle(Answer(int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._settle(LOST)

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request; nothing is under way."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None:
            self._settle(LOST)
        else:
            self._transport.write(request)
        return self._answer

    def alive(self) -> bool:
        return self._transport is not None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _settle(self, answer: Answer) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)


class Clients:
    """Connections to several servers of this machine, used in turn."""

    def __init__(self, ports: Sequence[int], *, connections: int) -> None:
        self._ports = ports
        self._connections = connections
        self._idle: asyncio.Queue[tuple[int, _Connection]] = asyncio.Queue()

    async def connect(self) -> None:
        """Open all connections."""
        for number in range(self._connections):
            port = self._ports[number % len(self._ports)]
            self._idle.put_nowait((port, await _connected(port)))

    async def ask(self, method: str, path: str, *, token: str, body: bytes = b"") -> Answer:
        """Return the answer to one request, which waits for a free connection."""
        port, connection = await self._idle.get()
        if not connection.alive():
            connection = await _connected(port)
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}"
        )
        kind = "\r\nContent-Type: application/json" if body else ""
        length = f"\r\nContent-Length: {len(body)}\r\n\r\n"
        answer = await connection.ask(f"{head}{kind}{length}".encode() + body)
        self._idle.put_nowait((port, connection))
        return answer

    def close(self) -> None:
        """Close all that are idle."""
        while not self._idle.empty():
            self._idle.get_nowait()[1].close()


async def _connected(port: int) -> _Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(_Connection, "127.0.0.1", port)
    return connection
