"""One viewer of the asyncio plane: a transport, a cursor, and what keeps it honest."""

import asyncio
import contextlib
import math
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from groundswell.broker.compression import BadMessage, inflated_text
from groundswell.broker.frames import CloseFrame, Frame
from groundswell.broker.plane import Handle, Variant
from groundswell.broker.ring import Ring
from groundswell.cext import frames as encoder
from groundswell.cext.websocket import CLOSE, DEFLATED_TEXT, PING, TEXT, Parser
from groundswell.contract.close_codes import BY_CODE, FLOOD, NORMAL, SLOW, CloseCode

if TYPE_CHECKING:
    from groundswell.broker.asyncio_plane import AsyncioPlane

CLOSING_SECONDS = 3.0  # for the peer's half of the closing handshake
KERNEL_BUFFER_BYTES = 64 * 1024  # else a viewer that does not read holds megabytes (tcp_wmem)
RESET = struct.pack("ii", 1, 0)  # SO_LINGER, on for no time: a close resets the connection
FLOOD_FACTOR = 4  # times `stream.uplink_messages`, with control frames, ends the stream
PRIVATE_BYTES = 512 * 1024  # a welcome of 500 comments and some catch-up, unsent, at most


class Viewer(asyncio.Protocol):
    """The protocol of a transport after its handshake. Created and kept by `AsyncioPlane`."""

    __slots__ = (
        "_close_code",
        "_messages",
        "_messages_second",
        "_parser",
        "_plane",
        "_ring",
        "_transport",
        "_under_way",
        "auth_deadline",
        "blocked",
        "blocked_at",
        "closing_deadline",
        "cursor",
        "expires_s",
        "handle",
        "is_plain",
        "is_websocket",
        "leave",
        "message_deadline",
        "next_ping",
        "pong_deadline",
        "write",
    )

    def __init__(
        self,
        plane: "AsyncioPlane",
        handle: Handle,
        transport: asyncio.Transport,
        *,
        variant: Variant,
        deflate: bool,
        now: float,
    ) -> None:
        self._plane = plane
        self.handle = handle
        self._transport = transport
        self.is_websocket = variant is Variant.WEBSOCKET
        self.is_plain = self.is_websocket and not deflate
        self.write: Callable[[bytes], None] = transport.write
        self._under_way = 0  # which message or frame the parser is in
        self._parser = Parser(message_bytes=plane.settings.message_bytes, deflate=deflate)
        self._ring: Ring | None = None
        self.cursor = -1  # no frame has this number: a pass leaves the viewer alone
        self.leave: Callable[[Handle], None] | None = None
        self.blocked = False
        self.blocked_at = now
        self.next_ping = now
        self.pong_deadline: float | None = None
        self.message_deadline = math.inf
        self.auth_deadline: float | None = None
        self.expires_s: float | None = None
        self.closing_deadline: float | None = None
        self._close_code = 0
        self._messages = 0
        self._messages_second = 0
        transport.set_write_buffer_limits(high=plane.settings.send_buffer)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)

    # From the plane

    @property
    def lag(self) -> int:
        """How many frames its ring has that it has not begun."""
        return self._ring.end - self.cursor if self._ring is not None and self.cursor >= 0 else 0

    def enter(self, ring: Ring, cursor: int, *, leave: Callable[[Handle], None]) -> None:
        """Follow a ring from a cursor; `leave(handle)` is called when it ends."""
        self._ring = ring
        self.cursor = cursor
        self.leave = leave

    def catch_up(self) -> None:
        """Write frames from the cursor on until the ring's end or until the transport is full."""
        ring = self._ring
        if ring is None or self.blocked or self.cursor < 0:
            return
        counters = self._plane.counters
        if self.cursor < ring.first:
            counters.skips += 1
            if self._plane.events is not None:
                self._plane.events.behind(self.handle)
            return
        while self.cursor < ring.end and not self.blocked:
            data = self._bytes_of(ring[self.cursor])
            self.cursor += 1
            self.write(data)
            counters.frames_written += 1
            counters.bytes_written += len(data)

    def send_private(self, frame: Frame) -> None:
        """Write something for this viewer alone; closes as slow beyond `PRIVATE_BYTES`."""
        if self.closing_deadline is not None:
            return
        if self._transport.get_write_buffer_size() > PRIVATE_BYTES:
            self.close(SLOW)
            return
        self._plane.counters.private_messages += 1
        self.write(self._bytes_of(frame))

    def ping(self, pong_deadline: float) -> bool:
        """Send the room's ping if the viewer has everything up to its position; else: False."""
        ring = self._ring
        if ring is None or ring.ping is None or self.blocked or self.cursor != ring.end:
            return False
        self.write(self._bytes_of(ring.ping()))
        if self.is_websocket and self.pong_deadline is None:  # else an earlier ping is unanswered
            self.pong_deadline = pong_deadline
        return True

    def close(self, code: CloseCode, note: str = "") -> None:
        """Send the close and half-close; the peer has `CLOSING_SECONDS` to answer."""
        if self.closing_deadline is not None:
            return
        self._plane.counters.refused_slow += code is SLOW
        reason = f"{code.reason}; {note}" if note else code.reason
        self._end(code.code, reason)

    def cut_slow(self) -> None:
        """Cut a viewer that has taken nothing for too long: words would find no room either."""
        self._plane.counters.refused_slow += 1
        self._begin_closing(SLOW.code)
        self.reset()

    def reset(self) -> None:
        """Cut the connection of a peer that does not read: what the kernel holds for it goes."""
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # it is closed already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.abort()

    def abort(self) -> None:
        """Cut the connection without another word."""
        self._transport.abort()

    # From the transport

    def data_received(self, data: bytes) -> None:
        if not self.is_websocket or self.closing_deadline is not None:
            return  # SSE has no uplink; a closing viewer is not listened to
        self.pong_deadline = None
        parser = self._parser
        messages: list[tuple[Handle, bytes]] = []
        events = parser.feed(data)
        if parser.under_way != self._under_way:
            self._mind_message(parser.under_way)
        failed = parser.failed
        if self._floods(len(events)):
            self.close(FLOOD)
            return
        for opcode, payload in events:
            if opcode == TEXT:
                messages.append((self.handle, payload))
            elif opcode == DEFLATED_TEXT:
                try:
                    text = inflated_text(payload, limit=self._plane.settings.message_bytes)
                except BadMessage as error:
                    failed = error.code
                    break
                messages.append((self.handle, text))
            elif opcode == PING:
                self.write(encoder.websocket_pong(payload))
            elif opcode == CLOSE:
                # RFC 6455 section 5.5.1: answer with the same code, or with none
                self._end(int.from_bytes(payload[:2], "big") or NORMAL.code, "")
                break
        if messages and self._plane.events is not None:
            self._plane.counters.client_messages += len(messages)
            self._plane.events.messages(messages)
        if failed and self.closing_deadline is None:
            self.close(BY_CODE[failed])

    def pause_writing(self) -> None:
        self.blocked = True
        self._plane.counters.partial_writes += 1
        self.blocked_at = self._plane.clock.monotonic()

    def resume_writing(self) -> None:
        self.blocked = False
        if self.closing_deadline is None:
            self.catch_up()

    def eof_received(self) -> bool:
        return False  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        self.cursor = -1
        self._ring = None
        if not self._plane.forget(self.handle):
            return
        if self.leave is not None:
            self.leave(self.handle)
            self.leave = None
        if self._plane.events is not None:
            self._plane.events.closed([(self.handle, self._close_code)])

    # Within

    def _bytes_of(self, frame: Frame) -> bytes:
        if self.is_plain:
            return frame.websocket
        return frame.deflated if self.is_websocket else frame.sse

    def _floods(self, events: int) -> bool:
        """Count messages and control frames of this second against the limit."""
        second = int(self._plane.clock.monotonic())
        if second != self._messages_second:
            self._messages_second = second
            self._messages = 0
        self._messages += events
        return self._messages > FLOOD_FACTOR * self._plane.settings.uplink_messages

    def _mind_message(self, under_way: int) -> None:
        """Give a message that begins its time; one that goes on has what it had."""
        self._under_way = under_way
        within = self._plane.settings.message_timeout if under_way else math.inf
        self.message_deadline = self._plane.clock.monotonic() + within

    def _begin_closing(self, code: int) -> None:
        self.closing_deadline = self._plane.clock.monotonic() + CLOSING_SECONDS
        self._close_code = code
        self.cursor = -1

    def _end(self, code: int, reason: str) -> None:
        self._begin_closing(code)
        if self._transport.is_closing():
            return
        self.write(self._bytes_of(CloseFrame(code, reason)))
        # Half-close: the peer reads our last words although its own are unread here, where a full
        # close would answer those with a reset.
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:  # TLS has no half-close
            self._transport.close()
