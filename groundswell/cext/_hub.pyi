"""The hub: threads without the GIL that carry frames to sockets and messages back.

A hub belongs to the thread that calls it; no method blocks but `stop`. A handle stays unknown
after its connection was reported closed; what is asked for an unknown one does nothing.
Times are milliseconds of the caller's clocks: deadlines are kept when `tick` is called.
"""

from collections.abc import Iterable, Sequence

NEVER: int
"""A wall time that never comes."""

def live_frames() -> int: ...
def live_connections() -> int: ...

class HubFrame:
    """Bytes for WebSockets, and for SSE where some read that. Immutable, shared with threads.

    `deflated` is for those who negotiated it, perhaps the very same object as `websocket`; without
    it they are sent that.
    """

    has_sse: bool
    has_deflated: bool
    def __init__(
        self, websocket: bytes, sse: bytes = b"", deflated: bytes | None = None
    ) -> None: ...

class Hub:
    threads: int
    viewers: int
    def __init__(
        self,
        *,
        threads: int,
        message_bytes: int,
        flood_events: int,
        send_buffer: int,
        private_bytes: int,
        ping_interval_ms: int,
        pong_timeout_ms: int,
        message_ms: int,
        closing_ms: int,
        stuck_ms: int,
        closes: Sequence[tuple[int, HubFrame]],
    ) -> None:
        """`closes` has code and words for each `enum cause` of hub.h; `OSError` without files."""

    def start(self, *, monotonic_ms: int, wall_ms: int) -> None:
        """Start the threads; raises `OSError`."""

    def stop(self) -> None:
        """Cut all connections, wait for the threads; `take` has the last events. Again: nothing.

        Releases the GIL, so that it may be called on another thread while nobody else calls.
        """

    def fileno(self) -> int: ...
    def listen(self, fd: int, *, patience_ms: int, too_late: HubFrame) -> None:
        """Accept connections of a listening socket, which is the hub's from now on.

        `take` tells of each once its first bytes are there. Who sends none for so long is sent
        `too_late` and closed.
        """

    def stop_listening(self) -> None: ...
    def adopt(
        self,
        fd: int,
        *,
        sse: bool,
        deflate: bool = False,
        ping_due_ms: int,
        auth_due_ms: int | None,
        head: HubFrame,
        leftover: bytes,
    ) -> int:
        """Take a connected socket, which is the hub's from now on; return its handle.

        `head` is sent with what follows: a room's frames, or `flush`. `leftover` came from the
        client already. `deflate`: it is a WebSocket that negotiated RFC 7692. Raises
        `RuntimeError` if the hub does not run, `MemoryError`; the socket is then not taken.
        """

    def flush(self, handle: int) -> None:
        """Send `head` to a viewer that is in no room yet; to others it was sent."""

    def thread_of(self, handle: int) -> int: ...
    def is_sse(self, handle: int) -> bool: ...
    def deflates(self, handle: int) -> bool: ...
    def handles(self) -> list[int]: ...
    def join(
        self, handle: int, *, index: int, name: int, cursor: int, private: Iterable[HubFrame]
    ) -> int:
        """Return the name of the room that it was in, 0 for none; `KeyError`: it may not join.

        The room is open on the connection's thread. `name` is what `take` says it was in at last.
        """

    def send(self, handle: int, frame: HubFrame) -> None: ...
    def expire(self, handle: int, wall_ms: int) -> None: ...
    def close(self, handle: int, code: int, words: HubFrame) -> None: ...
    def open_room(self, thread: int, index: int, *, name: int, start: int) -> None: ...
    def add_frame(
        self, thread: int, index: int, frame: HubFrame, *, number: int, first: int
    ) -> None: ...
    def swap_frame(self, thread: int, index: int, frame: HubFrame, *, number: int) -> None: ...
    def begin_pass(self, thread: int, index: int, *, number: int) -> None: ...
    def set_ping(self, thread: int, index: int, frame: HubFrame, *, cursor: int) -> None: ...
    def dismiss(self, thread: int, index: int, code: int, words: HubFrame) -> None: ...
    def dissolve(self, thread: int, index: int) -> None: ...
    def tick(self, *, monotonic_ms: int, wall_ms: int) -> None: ...
    def take(
        self,
    ) -> tuple[
        list[tuple[int, bytes]],
        list[tuple[int, int, int, bool]],
        list[int],
        list[tuple[int, int, int, float]],
        list[int],
        list[tuple[int, str, bytes]],
    ]:
        """Return what happened since the last call, each in its order.

        Messages (handle, text); closed connections (handle, code, name of its room, whether SSE);
        handles that fell off their ring; passes (thread, name of the room, number, seconds);
        which of the messages, by index, are deflated: their text is not checked; accepted
        connections, the caller's from now on (fd, address, first bytes).
        """

    def counters(self) -> dict[str, int]:
        """Return `struct hub_counters`: sums over all threads, of `lag_frames` the largest."""
