"""The plane that works everywhere, with TLS too: asyncio transports, one object a viewer.

A pass gives every viewer of a room its turn, some hundred viewers a turn of the loop, so that a
huge room holds nobody else up. A viewer whose transport does not take more stays where its cursor
is and catches up from the ring when it drains: no queue, no copy.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from groundswell.broker.draining import Drain
from groundswell.broker.frames import Frame
from groundswell.broker.plane import PLACES, Handle, PlaneEvents, PlaneStatistics, Variant
from groundswell.broker.ring import Ring
from groundswell.broker.viewer import Viewer
from groundswell.contract.clock import Clock
from groundswell.contract.close_codes import (
    AUTH_TIMEOUT,
    IDLE,
    TOKEN_EXPIRED,
    CloseCode,
)
from groundswell.contract.settings import StreamSettings
from groundswell.contract.statistics import Histogram

SLICE_VIEWERS = 256  # about 2 ms of writes: what others wait for at most while a pass runs
SWEEP_SECONDS = 1.0
STUCK_SECONDS = 5.0  # a viewer that takes no byte for so long is cut as slow, 1 s later at most

log = structlog.get_logger(__name__)


class AsyncioAudience:
    """See `plane.Audience`."""

    def __init__(self, plane: "AsyncioPlane", ring: Ring, passed: Callable[[float], None]) -> None:
        self._plane = plane
        self._ring = ring
        self._passed = passed
        self._viewers: dict[Handle, Viewer] = {}
        self._began = 0.0
        self._turn: list[Viewer] = []  # of the pass that runs
        self._next = 0  # whose turn it is
        self._number = -1  # the frame that is passed around
        self._again = False

    def __len__(self) -> int:
        return len(self._viewers)

    def join(self, handle: Handle, cursor: int, private: Sequence[Frame]) -> None:
        viewer = self._plane.viewers.get(handle)
        if viewer is None or viewer.closing_deadline is not None:
            return
        if viewer.leave is not None:
            viewer.leave(handle)
        self._viewers[handle] = viewer
        viewer.enter(self._ring, cursor, leave=self._leave)
        for frame in private:
            viewer.send_private(frame)
        viewer.catch_up()

    def publish(self) -> None:
        if self._turn:
            self._again = True  # a frame came while a pass runs: everybody gets another turn
            return
        self._again = False
        self._began = self._plane.clock.monotonic()
        self._turn = list(self._viewers.values())
        self._number = self._ring.end - 1
        self._next = 0
        self._pass_slice()

    def dismiss(self, code: CloseCode) -> None:
        self._dismiss_slice(list(self._viewers.values()), code)

    def dissolve(self) -> None:
        self._viewers.clear()
        self._turn = []
        self._again = False

    def _leave(self, handle: Handle) -> None:
        self._viewers.pop(handle, None)

    def _dismiss_slice(self, viewers: list[Viewer], code: CloseCode) -> None:
        """Close some of these, and the others in later turns of the loop; who has left stays."""
        for viewer in viewers[-SLICE_VIEWERS:]:
            try:
                if viewer.leave == self._leave:
                    viewer.close(code)
            except Exception:  # the others must be told all the same
                log.exception("viewer failed")
                viewer.abort()
        del viewers[-SLICE_VIEWERS:]
        if viewers:
            asyncio.get_running_loop().call_soon(self._dismiss_slice, viewers, code)

    def _pass_slice(self) -> None:
        number = self._number
        # With enormous frames the ring may have dropped this one; everybody then catches up.
        kept = number >= self._ring.first
        frame = self._ring[number if kept else self._ring.end - 1]
        websocket, deflated, sse = frame.websocket, b"", b""
        written = written_bytes = 0
        turn = self._turn[self._next : self._next + SLICE_VIEWERS]
        # The hot loop: a viewer that is where it should be costs one comparison and one write.
        for viewer in turn:
            try:
                if viewer.cursor == number and kept and not viewer.blocked:
                    if viewer.is_plain:
                        viewer.write(websocket)
                        written_bytes += len(websocket)
                    elif viewer.is_websocket:
                        deflated = deflated or frame.deflated
                        viewer.write(deflated)
                        written_bytes += len(deflated)
                    else:
                        sse = sse or frame.sse
                        viewer.write(sse)
                        written_bytes += len(sse)
                    viewer.cursor = number + 1
                    written += 1
                elif not viewer.blocked:
                    viewer.catch_up()
            except Exception:  # one viewer's failure must not end the pass for all others
                log.exception("viewer failed")
                viewer.abort()
        counters = self._plane.counters
        counters.frames_written += written
        counters.bytes_written += written_bytes
        self._next += len(turn)
        if self._next < len(self._turn):
            asyncio.get_running_loop().call_soon(self._pass_slice)
            return
        self._turn = []
        seconds = self._plane.clock.monotonic() - self._began
        counters.passes += 1
        counters.pass_seconds.observe(seconds)
        if self._again:
            self.publish()
        else:
            self._passed(seconds)


class Counters:
    """What `PlaneStatistics` is read from."""

    __slots__ = (
        "bytes_written",
        "client_messages",
        "frames_written",
        "lag_frames",
        "partial_writes",
        "pass_seconds",
        "passes",
        "private_messages",
        "refused_slow",
        "skips",
        "viewers_behind",
    )

    def __init__(self) -> None:
        self.passes = 0
        self.pass_seconds = Histogram()
        self.frames_written = 0
        self.bytes_written = 0
        self.partial_writes = 0
        self.private_messages = 0
        self.client_messages = 0
        self.skips = 0
        self.refused_slow = 0
        # As the last sweep found them.
        self.viewers_behind = 0
        self.lag_frames = 0


class AsyncioPlane:
    """See `plane.OwnedPlane`."""

    def __init__(
        self, *, settings: StreamSettings, clock: Clock, jitter: Callable[[], float]
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.viewers: dict[Handle, Viewer] = {}
        self.counters = Counters()
        self.events: PlaneEvents | None = None
        self._jitter = jitter  # 0 <= x < 1, spreads the pings of viewers that came together
        self._places = 0  # that were taken at least once
        self._vacant: list[Handle] = []  # places that are free again, as their next handles
        self._sweeper: asyncio.Task[None] | None = None
        self._drain: Drain | None = None

    def start(self, events: PlaneEvents) -> None:
        self.events = events
        self._sweeper = asyncio.create_task(self._sweep_forever(), name="plane sweep")

    async def drain(self, seconds: float) -> None:
        self._drain = Drain(self, jitter=self._jitter)
        await self._drain.run(list(self.viewers), seconds=seconds)

    async def stop(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        for viewer in list(self.viewers.values()):
            viewer.abort()

    def forget(self, handle: Handle) -> bool:
        """Drop a viewer whose transport is gone; False: it was dropped before."""
        known = self.viewers.pop(handle, None) is not None
        if known:
            self._vacant.append(handle + PLACES)
        if self._drain is not None and not self.viewers:
            self._drain.emptied()
        return known

    def audience(self, ring: Ring, passed: Callable[[float], None]) -> AsyncioAudience:
        return AsyncioAudience(self, ring, passed)

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
        if head:
            transport.write(head)
        handle = self._new_handle()
        now = self.clock.monotonic()
        viewer = Viewer(self, handle, transport, variant=variant, deflate=deflate, now=now)
        viewer.next_ping = now + self.settings.ping_interval * (0.5 + self._jitter() / 2)
        if auth_within is not None:
            viewer.auth_deadline = now + auth_within
        self.viewers[handle] = viewer
        transport.set_protocol(viewer)
        begin(handle)
        if leftover:
            viewer.data_received(leftover)
        if not transport.is_closing():
            transport.resume_reading()

    def send(self, handle: Handle, frame: Frame) -> None:
        viewer = self.viewers.get(handle)
        if viewer is not None:
            viewer.send_private(frame)

    def identify(self, handle: Handle, expires_s: float | None) -> None:
        viewer = self.viewers.get(handle)
        if viewer is not None:
            viewer.auth_deadline = None
            viewer.expires_s = expires_s

    def close(self, handle: Handle, code: CloseCode, note: str = "") -> None:
        viewer = self.viewers.get(handle)
        if viewer is not None:
            viewer.close(code, note)

    def statistics(self) -> PlaneStatistics:
        c = self.counters
        return PlaneStatistics(
            viewers=len(self.viewers),
            viewers_behind=c.viewers_behind,
            lag_frames=c.lag_frames,
            passes=c.passes,
            pass_seconds=c.pass_seconds,
            frames_written=c.frames_written,
            bytes_written=c.bytes_written,
            partial_writes=c.partial_writes,
            private_messages=c.private_messages,
            client_messages=c.client_messages,
            skips=c.skips,
            refused_slow=c.refused_slow,
        )

    def _new_handle(self) -> Handle:
        if self._vacant:
            return self._vacant.pop()
        self._places += 1
        return self._places

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            behind = lag = 0
            for start in range(0, len(viewers := list(self.viewers.values())), SLICE_VIEWERS * 8):
                some = viewers[start : start + SLICE_VIEWERS * 8]
                lags = [viewer.lag for viewer in some if viewer.blocked]
                behind, lag = behind + len(lags), max([lag, *lags])
                self._sweep(some)
                await asyncio.sleep(0)
            self.counters.viewers_behind, self.counters.lag_frames = behind, lag

    def _sweep(self, viewers: Sequence[Viewer]) -> None:
        """Keep the deadlines: closing, auth, token, stuck writer, pong, message, next ping."""
        now = self.clock.monotonic()
        now_s = self.clock.wall_ms() / 1000
        settings = self.settings
        for viewer in viewers:
            try:
                if viewer.closing_deadline is not None:
                    if now >= viewer.closing_deadline:
                        viewer.reset()
                elif viewer.auth_deadline is not None and now >= viewer.auth_deadline:
                    viewer.close(AUTH_TIMEOUT)
                elif viewer.expires_s is not None and now_s >= viewer.expires_s:
                    viewer.close(TOKEN_EXPIRED)
                elif viewer.blocked and now - viewer.blocked_at >= STUCK_SECONDS:
                    viewer.cut_slow()
                elif now >= viewer.message_deadline or (
                    viewer.pong_deadline is not None and now >= viewer.pong_deadline
                ):
                    viewer.close(IDLE)
                elif now >= viewer.next_ping and viewer.ping(now + settings.pong_timeout):
                    viewer.next_ping = now + settings.ping_interval
            except Exception:  # the deadlines of all others must still be kept
                log.exception("viewer failed")
                viewer.abort()
