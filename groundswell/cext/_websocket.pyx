# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What Python sees of the native WebSocket parser; the contract stands in `pure_websocket.py`."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memcpy, memset

from groundswell.cext cimport rfc6455
from groundswell.cext._parser cimport (
    WS_EVENT,
    WS_FAILED,
    WS_NO_MEMORY,
    WsEvent,
    WsInput,
    WsParser,
    WsStatus,
    ws_clear,
    ws_init,
    ws_next,
    ws_under_way,
    ws_unmask,
)
from groundswell.cext._utf8 cimport Utf8, utf8_feed

cdef enum:
    SCRATCH_BYTES = 4096  # input is copied here to be unmasked, since bytes must not change


@cython.final
cdef class Parser:
    """Reads the frames of one client. See the twin."""

    cdef WsParser _parser

    def __cinit__(self, *, message_bytes, max_fragments=1024, binary=False, deflate=False):
        for name, limit in (("message_bytes", message_bytes), ("max_fragments", max_fragments)):
            if not 1 <= limit <= rfc6455.LIMIT_MAX:
                raise ValueError(f"{name} is {limit}, must be 1 to {rfc6455.LIMIT_MAX}")
        ws_init(&self._parser, message_bytes, max_fragments, binary, deflate)

    def __dealloc__(self):
        ws_clear(&self._parser)

    @property
    def failed(self):
        """Close code that the connection must be closed with; 0 while all is well."""
        return self._parser.failed

    @property
    def buffered(self):
        """Payload bytes held of what is unfinished."""
        return self._parser.message_size + self._parser.control_size

    @property
    def under_way(self):
        """Number of the message or control frame that is incomplete; 0: none is."""
        return ws_under_way(&self._parser)

    def feed(self, bytes data not None):
        """Take the next bytes from the client; return the events that they complete."""
        cdef uint8_t scratch[SCRATCH_BYTES]
        # Borrowed from `data`, which the caller's reference keeps for the length of this call.
        cdef const char* source = PyBytes_AS_STRING(data)
        cdef size_t left = len(data), size
        cdef list events = []
        cdef WsInput chunk
        cdef WsEvent event
        cdef WsStatus status
        while left:
            size = min(left, <size_t> SCRATCH_BYTES)
            memcpy(scratch, source, size)
            source += size
            left -= size
            chunk.at = scratch
            chunk.end = scratch + size
            while True:
                status = ws_next(&self._parser, &chunk, &event)
                if status != WS_EVENT:
                    break
                # The payload is lent until the next ws_next: copied at once.
                payload = PyBytes_FromStringAndSize(<const char*> event.payload, event.size)
                events.append((event.opcode, payload))
            if status == WS_NO_MEMORY:
                raise MemoryError
            if status == WS_FAILED:
                break
        return events


def unmask(bytes data not None, bytes mask not None):
    """Return `data` XOR the repeated 4 octets of `mask`. See the twin."""
    if len(mask) != 4:
        raise ValueError(f"masking key of {len(mask)} octets, must be 4")
    cdef bytes result = PyBytes_FromStringAndSize(PyBytes_AS_STRING(data), len(data))
    if len(result) > 1:
        # Nobody else has a new object of two bytes or more yet; shorter ones CPython shares.
        ws_unmask(
            <uint8_t*> PyBytes_AS_STRING(result), len(result), <uint8_t*> PyBytes_AS_STRING(mask), 0
        )
    elif len(result):
        result = bytes((data[0] ^ mask[0],))
    return result


def is_utf8(bytes data not None):
    """Tell whether `data` is valid UTF-8. See the twin."""
    cdef Utf8 state
    memset(&state, 0, sizeof(Utf8))
    if not utf8_feed(&state, <const uint8_t*> PyBytes_AS_STRING(data), len(data)):
        return False
    return state.missing == 0
