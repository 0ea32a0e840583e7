"""What carries frames to sockets, behind an interface so that it can be replaced.

A plane knows connections, cursors and deadlines. It knows no video, no token and no message.
Everything here is called on the event loop's thread, and calls back on it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from groundswell.broker.frames import Frame
from groundswell.broker.ring import Ring
from groundswell.contract.close_codes import CloseCode
from groundswell.contract.statistics import Count, Histogram


class Variant(Enum):
    """How a viewer reads."""

    WEBSOCKET = "websocket"
    SSE = "sse"


Handle = int
"""A connection of the plane; never used again after it was reported closed.

`handle % PLACES` is its place: its own until then, and taken again before new ones are, so that an
owner can keep what it knows of connections in arrays (`by_handle`).
"""

PLACES = 1 << 32


class PlaneEvents(Protocol):
    """What a plane tells its owner, in batches."""

    def messages(self, batch: Sequence[tuple[Handle, bytes]]) -> None:
        """Complete text messages came, in order; inflated, and their UTF-8 is checked."""
        ...

    def closed(self, batch: Sequence[tuple[Handle, int]]) -> None:
        """Connections are gone, with the close code that was sent or received (0: neither)."""
        ...

    def behind(self, handle: Handle) -> None:
        """A viewer's cursor fell off its ring: `rejoin` it, or close it."""
        ...


@dataclass(frozen=True, slots=True)
class PlaneStatistics:
    """Counters since the start, how many viewers there are, and how far they are behind."""

    viewers: int
    viewers_behind: int  # whose sockets take no more for now
    lag_frames: int  # the largest lag among them, as the last second found it
    passes: Count
    pass_seconds: Histogram
    frames_written: Count  # frame times viewer
    bytes_written: Count
    partial_writes: Count  # the socket took no more for now: the viewer lags behind
    private_messages: Count
    client_messages: Count
    skips: Count  # viewers that fell off their ring
    refused_slow: Count  # viewers closed as slow


@dataclass(frozen=True, slots=True)
class DoorStatistics:
    """Connections of a plane that accepts them itself, since the start."""

    accepted: Count
    streams: Count  # that began without aiohttp
    accept_failures: Count  # no file or memory was left: accepting rested up to a second


class Audience(Protocol):
    """The viewers of one ring."""

    def __len__(self) -> int: ...

    def join(self, handle: Handle, cursor: int, private: Sequence[Frame]) -> None:
        """Send `private` to one viewer and then the ring from `cursor` on.

        A viewer that has joined before is moved there. One that is closing or unknown is ignored.
        """
        ...

    def publish(self) -> None:
        """The ring has a new frame. `passed(seconds)` is called when every viewer's turn came."""
        ...

    def dismiss(self, code: CloseCode) -> None:
        """Close every viewer with a code: the ring will get no more frames."""
        ...

    def dissolve(self) -> None:
        """Forget the ring; the viewers must have left, joined another or been dismissed."""
        ...


class Plane(Protocol):
    """Connections of one process."""

    def audience(self, ring: Ring, passed: Callable[[float], None]) -> Audience:
        """Return an empty audience of a ring."""
        ...

    def send(self, handle: Handle, frame: Frame) -> None:
        """Send one viewer something of its own, through a small bounded slot."""
        ...

    def identify(self, handle: Handle, expires_s: float | None) -> None:
        """Lift the auth deadline; close with `TOKEN_EXPIRED` within 2 s of `expires_s`."""
        ...

    def close(self, handle: Handle, code: CloseCode, note: str = "") -> None:
        """Close with a code; `note` is put behind its reason. Again, or unknown: nothing."""
        ...

    def statistics(self) -> PlaneStatistics:
        """Return the counters."""
        ...


class OwnedPlane(Plane, Protocol):
    """A plane as its owner sees it. `start` it inside a running loop; `drain` then `stop` it."""

    def start(self, events: PlaneEvents) -> None:
        """Begin to keep deadlines; `events` is told of everything from now on."""
        ...

    async def drain(self, seconds: float) -> None:
        """Tell all viewers to reconnect, spread over a time, and wait until they are gone."""
        ...

    async def stop(self) -> None:
        """Cut what is left and stop. Again: nothing."""
        ...

    def adopt(
        self,
        transport: asyncio.Transport,
        *,
        variant: Variant,
        begin: Callable[[Handle], None],
        head: bytes = b"",
        leftover: bytes = b"",
        auth_within: float | None = None,
        deflate: bool = False,
    ) -> None:
        """Take a transport over at the end of its handshake; its reading is paused.

        `head` is written first. `begin` is told the handle before any message of it comes; it is
        not called where the client has gone. `leftover` was read behind the handshake.
        `auth_within`: seconds until the viewer is closed with `AUTH_TIMEOUT` unless `identify` is
        called. `deflate`: it is a WebSocket that negotiated RFC 7692 as `compression` answers.
        """
        ...
