"""A plane behind a listening socket, with clients that read and clients that do not."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from groundswell.broker.frames import Frame, PingFrame
from groundswell.broker.plane import OwnedPlane, Variant
from groundswell.broker.ring import Ring
from tests.broker.harness.wire import Events, Wire
from tests.clocks import FakeClock


def private(text: object) -> Frame:
    """A frame for one viewer."""
    return Frame(b"welcome", "e:0", json.dumps({"text": text}).encode())


class Accepted(asyncio.Protocol):
    """A connection right after its handshake, which hands itself over."""

    def __init__(self, hall: "Hall") -> None:
        self._hall = hall

    def connection_made(self, transport: Any) -> None:
        transport.pause_reading()
        self._hall.adopt(transport)


class Hall:
    """A plane behind a listening socket, with one ring and its audience."""

    def __init__(
        self,
        plane: OwnedPlane,
        events: Events,
        clock: FakeClock,
        open_wire: Callable[..., Awaitable[Wire]],
    ) -> None:
        self.plane, self.events, self.clock, self._open_wire = plane, events, clock, open_wire
        self.ring = Ring(seconds=5.0, limit_bytes=1 << 20)
        self.ring.ping = lambda: PingFrame(f"e:{self.ring.end}")
        self.passes: list[float] = []
        self.audience = plane.audience(self.ring, self.passes.append)
        self._options: dict[str, Any] = {}
        self._handles: asyncio.Queue[int] = asyncio.Queue()

    async def start(self) -> None:
        self.plane.start(self.events)
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Accepted(self), "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.server.close()
        await self.plane.stop()

    def adopt(self, transport: asyncio.Transport) -> None:
        self.plane.adopt(transport, begin=self._handles.put_nowait, **self._options)

    async def connect(
        self,
        *,
        variant: Variant = Variant.WEBSOCKET,
        joins: bool = True,
        private: Sequence[Frame] = (),
        **options: Any,
    ) -> tuple[Wire, int]:
        """Connect a client; returns it and its handle."""
        self._options = {"variant": variant, **options}
        wire = await self._open_wire(self.port)
        handle = await self._handles.get()
        if joins:
            self.audience.join(handle, self.ring.end, private)
        return wire, handle

    async def connect_deaf(self, **options: Any) -> tuple[socket.socket, int]:
        """Connect a client that reads nothing; returns its socket and handle."""
        self._options = {"variant": Variant.WEBSOCKET, **options}
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(0)
        await asyncio.get_running_loop().sock_connect(deaf, ("127.0.0.1", self.port))
        handle = await self._handles.get()
        self.audience.join(handle, self.ring.end, ())
        return deaf, handle

    def publish(self, text: object, size: int = 0) -> None:
        """Append a frame of at least so many bytes, and have it passed around."""
        payload = json.dumps({"text": text, "fill": "x" * size}).encode()
        self.ring.append(Frame(b"update", f"e:{self.ring.end + 1}", payload), self.clock.mono)
        self.audience.publish()
