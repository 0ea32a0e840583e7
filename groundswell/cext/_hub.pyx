# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What Python sees of the hub: handles, commands in, events out; contracts in `_hub.pyi`.

All of it runs on the thread of the event loop. Nothing here is touched by the hub's threads: they
get commands with counted references to frames, and give back bytes.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.errno cimport errno
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from groundswell.cext._hub_events cimport read_events
from groundswell.cext._hub_parser cimport set_parser
from groundswell.cext._hub_seats cimport (
    CLOSING, TAKEN, Seat, Seats, find_seat, generation_of, handle_of, leave_seat, slot_of,
    take_seat, thread_of,
)

import os

NEVER = HUB_NEVER


def live_frames():
    """Return how many frames exist in this process."""
    return hub_live_frames()


def live_connections():
    """Return how many connections the hubs of this process have."""
    return hub_live_connections()


@cython.final
cdef class HubFrame:
    """Immutable bytes in memory that the hub's threads share."""

    cdef frame* _frame
    cdef readonly bint has_sse
    cdef readonly bint has_deflated

    def __cinit__(self, bytes websocket not None, bytes sse not None=b"", bytes deflated=None):
        cdef bytes_t forms[<int> FORMS]
        self.has_sse = len(sse) > 0
        self.has_deflated = deflated is not None
        # One that would not be smaller is the same bytes: the hub needs them once.
        if deflated is None or deflated is websocket:
            deflated = b""
        forms[<int> WEBSOCKET] = _bytes_of(websocket)
        forms[<int> SSE] = _bytes_of(sse)
        forms[<int> DEFLATED] = _bytes_of(deflated)
        self._frame = frame_new(forms)
        if self._frame == NULL:
            raise MemoryError

    def __dealloc__(self):
        frame_drop(self._frame)


cdef inline bytes_t _bytes_of(bytes data) noexcept:
    return bytes_t(<const uint8_t*> PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


@cython.final
cdef class Hub:
    """Threads that carry frames to sockets."""

    cdef hub* _hub
    cdef Seats* _seats
    cdef uint32_t _next_thread
    cdef bint _running
    cdef readonly uint32_t threads
    cdef readonly Py_ssize_t viewers

    def __cinit__(
        self,
        *,
        threads,
        message_bytes,
        flood_events,
        send_buffer,
        private_bytes,
        ping_interval_ms,
        pong_timeout_ms,
        message_ms,
        closing_ms,
        stuck_ms,
        closes,
    ):
        cdef hub_config config
        if not 1 <= threads <= HUB_THREADS_MAX:
            raise ValueError(f"{threads} threads, must be 1 to {HUB_THREADS_MAX}")
        if len(closes) != CAUSES:
            raise ValueError(f"{len(closes)} causes to close, must be {CAUSES}")
        memset(&config, 0, sizeof(config))
        config.threads = self.threads = threads
        config.message_bytes = message_bytes
        config.flood_events = flood_events
        config.send_buffer = send_buffer
        config.private_bytes = private_bytes
        config.ping_interval_ms = ping_interval_ms
        config.pong_timeout_ms = pong_timeout_ms
        config.message_ms = message_ms
        config.closing_ms = closing_ms
        config.stuck_ms = stuck_ms
        cdef HubFrame words
        for cause, (code, words) in enumerate(closes):
            config.codes[<int> cause] = code
            config.closes[<int> cause] = words._frame
        set_parser(&config.parser)
        self._seats = <Seats*> PyMem_Malloc(self.threads * sizeof(Seats))
        if self._seats == NULL:
            raise MemoryError
        memset(self._seats, 0, self.threads * sizeof(Seats))
        self._hub = hub_new(&config)
        if self._hub == NULL:
            raise OSError(errno, os.strerror(errno))

    def __dealloc__(self):
        cdef uint32_t i
        if self._hub != NULL:
            with nogil:
                hub_stop(self._hub)
            hub_free(self._hub)
        if self._seats != NULL:
            for i in range(self.threads):
                PyMem_Free(self._seats[i].rows)
                PyMem_Free(self._seats[i].vacant)
            PyMem_Free(self._seats)

    def start(self, *, int64_t monotonic_ms, int64_t wall_ms):
        """Start the threads. See the stub."""
        cdef int error = hub_start(self._hub, monotonic_ms, wall_ms)
        if error:
            raise OSError(error, os.strerror(error))
        self._running = True

    def stop(self):
        """Cut all connections and wait for the threads. See the stub."""
        self._running = False
        with nogil:
            hub_stop(self._hub)

    def fileno(self):
        """Return the descriptor that is readable once `take` has something."""
        return hub_event_fd(self._hub)

    # Connections

    def listen(self, int fd, *, int64_t patience_ms, HubFrame too_late not None):
        """Accept connections of a listening socket. See the stub."""
        self._push_room(0, COMMAND_LISTEN, 0, fd, patience_ms, too_late)

    def stop_listening(self):
        """Accept nobody any more; who was accepted and is silent may still speak."""
        self._push_room(0, COMMAND_UNLISTEN, 0, 0, 0, None)

    def adopt(
        self, int fd, *, bint sse, bint deflate=False, int64_t ping_due_ms, auth_due_ms,
        HubFrame head not None,
        bytes leftover not None,
    ):
        """Take over a socket; return its handle. See the stub."""
        cdef uint8_t form = <uint8_t> (SSE if sse else DEFLATED if deflate else WEBSOCKET)
        cdef uint32_t thread = self._next_thread
        cdef command commands[3]
        cdef size_t i, count = 1
        cdef HubFrame read = None
        if not self._running:
            raise RuntimeError("the hub does not run")
        if leftover:
            read = HubFrame(leftover)  # of its own: the hub unmasks these bytes in place
        cdef uint32_t slot = take_seat(&self._seats[thread], form)
        memset(commands, 0, sizeof(commands))
        commands[0].kind = COMMAND_ADOPT
        commands[0].a = fd
        commands[0].b = ping_due_ms
        commands[0].room = form
        commands[0].frame = head._frame
        if auth_due_ms is not None:
            commands[count].kind = COMMAND_AUTH_DUE
            commands[count].a = auth_due_ms
            count += 1
        if leftover:
            commands[count].kind = COMMAND_FEED
            commands[count].frame = read._frame
            count += 1
        handle = handle_of(thread, slot, self._seats[thread].rows[slot].generation)
        try:
            self._push_to(handle, commands, count)
        except MemoryError:
            leave_seat(&self._seats[thread], slot)
            raise
        self.viewers += 1
        self._next_thread = (thread + 1) % self.threads
        return handle

    def flush(self, uint64_t handle):
        """Send what is queued for a viewer that joins no room yet."""
        cdef Seat* seat = find_seat(self._seats, self.threads, handle)
        if seat != NULL and seat.state == TAKEN and seat.room == 0:
            self._push_one(handle, COMMAND_FLUSH, 0, None)

    def thread_of(self, uint64_t handle):
        """Return the thread of a connection that may join; -1: it is closing or unknown."""
        cdef Seat* seat = find_seat(self._seats, self.threads, handle)
        return -1 if seat == NULL or seat.state != TAKEN else <int> thread_of(handle)

    def is_sse(self, uint64_t handle):
        """Tell how a known connection reads."""
        cdef Seat* seat = find_seat(self._seats, self.threads, handle)
        return seat != NULL and seat.form == SSE

    def deflates(self, uint64_t handle):
        """Tell whether a known connection negotiated deflate."""
        cdef Seat* seat = find_seat(self._seats, self.threads, handle)
        return seat != NULL and seat.form == DEFLATED

    def handles(self):
        """Return all connections that are not closing."""
        cdef list found = []
        cdef uint32_t thread, slot
        cdef Seat* seat
        for thread in range(self.threads):
            for slot in range(self._seats[thread].count):
                seat = &self._seats[thread].rows[slot]
                if seat.state == TAKEN:
                    found.append(handle_of(thread, slot, seat.generation))
        return found

    def join(self, uint64_t handle, *, uint32_t index, uint32_t name, int64_t cursor, private):
        """Send a viewer frames of its own and then a room's; return the room it was in."""
        cdef Seat* seat = find_seat(self._seats, self.threads, handle)
        cdef uint32_t before
        cdef tuple frames = tuple(private)
        cdef size_t count = len(frames) + 1
        cdef HubFrame each
        if seat == NULL or seat.state != TAKEN:
            raise KeyError(handle)
        cdef command* commands = <command*> PyMem_Malloc(count * sizeof(command))
        if commands == NULL:
            raise MemoryError
        memset(commands, 0, count * sizeof(command))
        try:
            for i, each in enumerate(frames):
                commands[<size_t> i].kind = COMMAND_QUEUE
                commands[<size_t> i].frame = each._frame
            commands[count - 1].kind = COMMAND_JOIN
            commands[count - 1].room = index
            commands[count - 1].a = cursor
            self._push_to(handle, commands, count)
        finally:
            PyMem_Free(commands)
        before = seat.room
        seat.room = name
        return before

    def send(self, uint64_t handle, HubFrame frame not None):
        """Send one viewer something of its own."""
        cdef Seat* seat = find_seat(self._seats, self.threads, handle)
        if seat != NULL and seat.state == TAKEN:
            self._push_one(handle, COMMAND_SEND, 0, frame)

    def expire(self, uint64_t handle, int64_t wall_ms):
        """Lift the auth deadline and close at a wall time, perhaps `NEVER`."""
        cdef Seat* seat = find_seat(self._seats, self.threads, handle)
        if seat != NULL and seat.state == TAKEN:
            self._push_one(handle, COMMAND_EXPIRES, wall_ms, None)

    def close(self, uint64_t handle, uint16_t code, HubFrame words not None):
        """Close with last words; what follows for this handle is ignored."""
        cdef Seat* seat = find_seat(self._seats, self.threads, handle)
        if seat != NULL and seat.state == TAKEN:
            self._push_one(handle, COMMAND_CLOSE, code, words)
            seat.state = CLOSING

    # Rooms, of one thread each

    def open_room(self, uint32_t thread, uint32_t index, *, uint32_t name, int64_t start):
        """Make a room whose next frame has number `start`."""
        self._push_room(thread, COMMAND_OPEN, index, start, name, None)

    def add_frame(
        self, uint32_t thread, uint32_t index, HubFrame frame not None, *, int64_t number,
        int64_t first,
    ):
        """Append to a room's ring and drop what is before `first`."""
        self._push_room(thread, COMMAND_FRAME, index, number, first, frame)

    def swap_frame(self, uint32_t thread, uint32_t index, HubFrame frame not None, *, int64_t number):
        """Put another frame in the place of one that the ring may still have."""
        self._push_room(thread, COMMAND_SWAP, index, number, 0, frame)

    def begin_pass(self, uint32_t thread, uint32_t index, *, int64_t number):
        """Give every viewer of the room its turn, and report that with this number."""
        self._push_room(thread, COMMAND_PASS, index, number, 0, None)

    def set_ping(self, uint32_t thread, uint32_t index, HubFrame frame not None, *, int64_t cursor):
        """Say what viewers whose cursor is here are pinged with."""
        self._push_room(thread, COMMAND_PING, index, cursor, 0, frame)

    def dismiss(self, uint32_t thread, uint32_t index, uint16_t code, HubFrame words not None):
        """Close all viewers of the room."""
        self._push_room(thread, COMMAND_DISMISS, index, code, 0, words)

    def dissolve(self, uint32_t thread, uint32_t index):
        """Forget the room; its index may be used again."""
        self._push_room(thread, COMMAND_DISSOLVE, index, 0, 0, None)

    def tick(self, *, int64_t monotonic_ms, int64_t wall_ms):
        """Say what time it is: deadlines are kept now."""
        for thread in range(self.threads):
            self._push_room(thread, COMMAND_TICK, 0, monotonic_ms, wall_ms, None)

    # Events

    def take(self):
        """Return messages, closed, behind, passed, deflated and arrived. See the stub."""
        cdef list messages = [], closed = [], behind = [], passed = [], deflated = [], arrived = []
        cdef uint32_t thread
        cdef size_t size = 0
        cdef uint8_t* data
        for thread in range(self.threads):
            data = hub_take(self._hub, thread, &size)
            try:
                read_events(
                    &self._seats[thread], thread, data, size, messages, closed, behind, passed,
                    deflated, arrived,
                )
            finally:
                free(data)
        self.viewers -= len(closed)
        return messages, closed, behind, passed, deflated, arrived

    def counters(self):
        """Return the counters of all threads. See the stub."""
        cdef hub_counters_t sums
        hub_counters(self._hub, &sums)
        return dict(sums)

    # Within

    cdef int _push_one(self, uint64_t handle, uint32_t kind, int64_t a, HubFrame frame) except -1:
        cdef command one
        memset(&one, 0, sizeof(one))
        one.kind = kind
        one.a = a
        one.frame = NULL if frame is None else frame._frame
        return self._push_to(handle, &one, 1)

    cdef int _push_to(self, uint64_t handle, command* commands, size_t count) except -1:
        cdef size_t i
        for i in range(count):
            commands[i].slot = slot_of(handle)
            commands[i].generation = generation_of(handle)
        return self._push(thread_of(handle), commands, count)

    cdef int _push_room(
        self, uint32_t thread, uint32_t kind, uint32_t index, int64_t a, int64_t b, HubFrame frame
    ) except -1:
        cdef command one
        if thread >= self.threads:
            raise ValueError(f"thread {thread} of {self.threads}")
        memset(&one, 0, sizeof(one))
        one.kind = kind
        one.room = index
        one.a = a
        one.b = b
        one.frame = NULL if frame is None else frame._frame
        return self._push(thread, &one, 1)

    cdef int _push(self, uint32_t thread, command* commands, size_t count) except -1:
        """Hand commands over with a reference of their own to each frame."""
        cdef size_t i
        if not self._running:
            return 0  # it is stopped: nobody is left that this could reach
        for i in range(count):
            if commands[i].frame != NULL:
                frame_keep(commands[i].frame)
        if hub_push(self._hub, thread, commands, count):
            for i in range(count):
                frame_drop(commands[i].frame)
            raise MemoryError
        return 0
