"""The plane of Linux: sockets leave the event loop for the hub's threads, which have no GIL.

This file tells the hub what is wanted and its owner what happened; both travel in queues, so that
no call waits. What is sent when, and every deadline, is the hub's (`cext/hub`). A handle is known
here at once, to the hub a moment later, in the order of the calls.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Container, Sequence

import structlog

from groundswell.broker.asyncio_plane import STUCK_SECONDS
from groundswell.broker.compression import BadMessage, inflated_text
from groundswell.broker.draining import Drain
from groundswell.broker.frames import CloseFrame, Frame
from groundswell.broker.native_audience import NativeAudience, hub_frame
from groundswell.broker.plane import Handle, PlaneEvents, PlaneStatistics, Variant
from groundswell.broker.ring import Ring
from groundswell.broker.viewer import CLOSING_SECONDS, FLOOD_FACTOR
from groundswell.cext._hub import NEVER, Hub, HubFrame
from groundswell.contract.clock import Clock
from groundswell.contract.close_codes import (
    AUTH_TIMEOUT,
    BY_CODE,
    FLOOD,
    IDLE,
    INVALID_UTF8,
    PROTOCOL_ERROR,
    SLOW,
    TOKEN_EXPIRED,
    TOO_BIG,
    UNSUPPORTED_DATA,
    CloseCode,
)
from groundswell.contract.settings import StreamSettings
from groundswell.contract.statistics import Histogram

TICK_SECONDS = 1.0  # how exactly deadlines are kept
PRIVATE_BYTES = 64 * 1024  # of answers to a viewer that does not read; a `welcome` is not cut

# In the order of `enum cause` in cext/hub/hub.h.
CAUSES = (
    AUTH_TIMEOUT,
    TOKEN_EXPIRED,
    SLOW,
    IDLE,
    FLOOD,
    PROTOCOL_ERROR,
    UNSUPPORTED_DATA,
    INVALID_UTF8,
    TOO_BIG,
)

Arrived = Callable[[int, str, bytes], None]
"""`(descriptor, peer's address, first bytes)` of a connection, which is the callee's."""

log = structlog.get_logger(__name__)


def hub_threads(settings: StreamSettings) -> int:
    """Return how many threads the settings mean on this machine: one core is for Python."""
    return settings.hub_threads or max(1, len(os.sched_getaffinity(0)) - 1)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


class NativePlane:
    """See `plane.OwnedPlane`. For plain TCP sockets: TLS needs the asyncio plane."""

    def __init__(
        self, *, settings: StreamSettings, clock: Clock, jitter: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._jitter = jitter  # 0 <= x < 1, spreads the pings of viewers that came together
        self.hub = Hub(
            threads=hub_threads(settings),
            message_bytes=settings.message_bytes,
            flood_events=int(FLOOD_FACTOR * settings.uplink_messages),
            send_buffer=settings.send_buffer,
            private_bytes=PRIVATE_BYTES,
            ping_interval_ms=_ms(settings.ping_interval),
            pong_timeout_ms=_ms(settings.pong_timeout),
            message_ms=_ms(settings.message_timeout),
            closing_ms=_ms(CLOSING_SECONDS),
            stuck_ms=_ms(STUCK_SECONDS),
            closes=[
                (row.code, hub_frame(CloseFrame(row.code, row.reason), sse=True)) for row in CAUSES
            ],
        )
        self._events: PlaneEvents | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._drain: Drain | None = None
        self._arrived: Arrived | None = None
        self._audiences: dict[int, NativeAudience] = {}  # by name
        self._last_name = 0
        self._vacant: list[int] = []  # indexes
        self._passes = 0
        self._pass_seconds = Histogram()

    # The owner's side

    def start(self, events: PlaneEvents) -> None:
        self._events = events
        self.hub.start(monotonic_ms=self._now_ms(), wall_ms=self._clock.wall_ms())
        asyncio.get_running_loop().add_reader(self.hub.fileno(), self._take)
        self._ticker = asyncio.create_task(self._tick_forever(), name="plane tick")

    async def drain(self, seconds: float) -> None:
        self._drain = Drain(self, jitter=self._jitter)
        await self._drain.run(self.hub.handles(), seconds=seconds)

    async def stop(self) -> None:
        ticker, self._ticker = self._ticker, None
        if ticker is None:
            return
        ticker.cancel()
        await asyncio.gather(ticker, return_exceptions=True)
        await asyncio.to_thread(self.hub.stop)
        asyncio.get_running_loop().remove_reader(self.hub.fileno())
        self._take()  # who was cut

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
        fd = _take_socket(transport)
        if fd is None:
            return
        self.adopt_socket(
            fd,
            variant=variant,
            begin=begin,
            head=head,
            leftover=leftover,
            auth_within=auth_within,
            deflate=deflate,
        )

    def adopt_socket(
        self,
        fd: int,
        *,
        variant: Variant,
        begin: Callable[[Handle], None],
        head: bytes,
        leftover: bytes,
        auth_within: float | None,
        deflate: bool,
    ) -> None:
        """Take a connected socket at the end of its handshake; see `OwnedPlane.adopt`.

        `head` travels with the first frames of the room that `begin` joins.
        """
        now = self._now_ms()
        ping_within = self._settings.ping_interval * (0.5 + self._jitter() / 2)
        sse = variant is Variant.SSE
        try:
            handle = self.hub.adopt(
                fd,
                sse=sse,
                deflate=deflate,
                ping_due_ms=now + _ms(ping_within),
                auth_due_ms=None if auth_within is None else now + _ms(auth_within),
                head=HubFrame(b"", head) if sse else HubFrame(head),
                leftover=leftover,
            )
        except (RuntimeError, MemoryError) as error:
            os.close(fd)
            log.debug("connection not adopted", error=str(error))
            return
        begin(handle)
        self.hub.flush(handle)

    # The door

    def listen(
        self, listening: socket.socket, arrived: Arrived, *, patience: float, too_late: bytes
    ) -> None:
        """Accept connections of a socket, which stays the caller's; see `broker/door.py`."""
        self._arrived = arrived
        self.hub.listen(
            os.dup(listening.fileno()), patience_ms=_ms(patience), too_late=HubFrame(too_late)
        )

    def stop_listening(self) -> None:
        """Accept nobody any more."""
        self.hub.stop_listening()

    def accepted(self) -> tuple[int, int]:
        """Return how many connections were accepted, and how often none could be."""
        counters = self.hub.counters()
        return counters["accepted"], counters["accept_failures"]

    # The rooms' and the sessions' side

    def audience(self, ring: Ring, passed: Callable[[float], None]) -> NativeAudience:
        self._last_name += 1
        index = self._vacant.pop() if self._vacant else len(self._audiences)
        audience = NativeAudience(self, ring, passed, name=self._last_name, index=index)
        self._audiences[audience.name] = audience
        return audience

    def forget(self, audience: NativeAudience) -> None:
        """Drop a dissolved audience; again: nothing."""
        if self._audiences.pop(audience.name, None) is not None:
            self._vacant.append(audience.index)

    def left(self, name: int) -> None:
        """Tell an audience, if there is one of this name, that a viewer has left it."""
        audience = self._audiences.get(name)
        if audience is not None:
            audience.left()

    def count_pass(self, seconds: float) -> None:
        """Count a pass that has ended."""
        self._passes += 1
        self._pass_seconds.observe(seconds)

    def send(self, handle: Handle, frame: Frame) -> None:
        if self.hub.thread_of(handle) >= 0:
            self.hub.send(handle, hub_frame(frame, sse=self.hub.is_sse(handle)))

    def identify(self, handle: Handle, expires_s: float | None) -> None:
        self.hub.expire(handle, NEVER if expires_s is None else _ms(expires_s))

    def close(self, handle: Handle, code: CloseCode, note: str = "") -> None:
        if self.hub.thread_of(handle) >= 0:
            reason = f"{code.reason}; {note}" if note else code.reason
            self.hub.close(handle, code.code, hub_frame(CloseFrame(code.code, reason), sse=True))

    def statistics(self) -> PlaneStatistics:
        counters = self.hub.counters()
        return PlaneStatistics(
            viewers=self.hub.viewers,
            viewers_behind=counters["behind"],
            lag_frames=counters["lag_frames"],
            passes=self._passes,
            pass_seconds=self._pass_seconds,
            frames_written=counters["frames_written"],
            bytes_written=counters["bytes_written"],
            partial_writes=counters["partial_writes"],
            private_messages=counters["private_messages"],
            client_messages=counters["client_messages"],
            skips=counters["skips"],
            refused_slow=counters["refused_slow"],
        )

    # The hub's side

    def _take(self) -> None:
        """Pass on what the threads report; one failure must not keep the rest from being told."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.hub.fileno(), 8)
        messages, closed, behind, passed, deflated, arrived = self.hub.take()
        events = self._events
        if events is None:
            return
        if deflated:
            messages = self._inflated(messages, set(deflated))
        if messages:
            self._guard(events.messages, messages)
        for handle in behind:
            self._guard(events.behind, handle)
        for _, _, name, _ in closed:
            self.left(name)
        if closed:
            self._guard(events.closed, [(handle, code) for handle, code, _, _ in closed])
        for thread, name, number, seconds in passed:
            audience = self._audiences.get(name)
            if audience is not None:
                self._guard(audience.turn_over, thread, number, seconds)
        for fd, peer, data in arrived:
            if self._arrived is None or self._ticker is None:  # it came when we were stopping
                os.close(fd)
            else:
                self._guard(self._arrived, fd, peer, data)
        if self._drain is not None and not self.hub.viewers:
            self._drain.emptied()

    def _inflated(
        self, messages: Sequence[tuple[Handle, bytes]], deflated: Container[int]
    ) -> list[tuple[Handle, bytes]]:
        """Return all as clean text; who sent something else is closed, and not heard further."""
        texts: list[tuple[Handle, bytes]] = []
        closing: set[Handle] = set()
        for index, (handle, payload) in enumerate(messages):
            if handle in closing:
                continue
            text = payload
            if index in deflated:
                try:
                    text = inflated_text(payload, limit=self._settings.message_bytes)
                except BadMessage as error:
                    closing.add(handle)
                    self.close(handle, BY_CODE[error.code])
                    continue
            texts.append((handle, text))
        return texts

    def _guard(self, call: Callable[..., None], *args: object) -> None:
        try:
            call(*args)
        except Exception:
            log.exception("plane event failed")

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for audience in list(self._audiences.values()):
                self._guard(audience.renew_ping)
            # Behind the pings: they are what the deadlines that come now will send.
            self._guard(self._tick)

    def _tick(self) -> None:
        self.hub.tick(monotonic_ms=self._now_ms(), wall_ms=self._clock.wall_ms())

    def _now_ms(self) -> int:
        return _ms(self._clock.monotonic())


def _take_socket(transport: asyncio.Transport) -> int | None:
    """Take a transport's socket off the event loop; None: it is gone, or not ready to be taken."""
    transport.set_protocol(asyncio.Protocol())
    # A client that sent its upgrade behind a request whose answer it has not read would get its
    # streams mixed up. None does that: a browser waits, and our SDK asks on a fresh connection.
    takes = not transport.is_closing() and not transport.get_write_buffer_size()
    try:
        return os.dup(transport.get_extra_info("socket").fileno()) if takes else None
    except OSError as error:  # no file is left
        log.warning("connection not adopted", error=str(error))
        return None
    finally:
        transport.abort()  # closes the original; ours stays open
