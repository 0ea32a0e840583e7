# cython: language_level=3, boundscheck=False, wraparound=False
"""What is sent to viewers, spliced with one allocation each; contracts in `pure_frames.py`.

Every function makes two passes: the size of the result, then its bytes into the new object, which
nobody else has seen yet.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcpy

from groundswell.cext cimport rfc6455

cdef bytes UPDATE = b'{"type":"update","position":"'
cdef bytes COMMENTS = b',"comments":['
cdef bytes EVENTS = b',"events":['
cdef bytes REACTIONS = b'"reactions":'
cdef bytes SSE_EVENT = b"event: "
cdef bytes SSE_ID = b"\nid: "
cdef bytes SSE_DATA = b"\ndata: "


def update(bytes position not None, comments, events=(), bytes tail not None=b""):
    """Return the JSON of an `update`. See the twin."""
    # Tuples: what was measured in the first pass must be what is copied in the second.
    cdef tuple comment_parts = tuple(comments)
    cdef tuple event_parts = tuple(events)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(UPDATE) + PyBytes_GET_SIZE(position) + 1
    size += _array_size(COMMENTS, comment_parts) + _array_size(EVENTS, event_parts)
    size += PyBytes_GET_SIZE(tail) + 1
    cdef bytes result = PyBytes_FromStringAndSize(NULL, size)
    cdef char* at = PyBytes_AS_STRING(result)
    at = _put(at, UPDATE)
    at = _put(at, position)
    at = _put_char(at, c'"')
    at = _put_array(at, COMMENTS, comment_parts)
    at = _put_array(at, EVENTS, event_parts)
    at = _put(at, tail)
    _put_char(at, c"}")
    return result


def with_reactions(bytes public_json not None, bytes counts_json not None):
    """Return the comment with its `reactions`. See the twin."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(public_json)
    cdef const char* source = PyBytes_AS_STRING(public_json)
    if size < 2 or source[0] != c"{" or source[size - 1] != c"}":
        raise ValueError(f"not a JSON object: {public_json[:40]!r}")
    cdef bint comma = size > 2
    cdef bytes result = PyBytes_FromStringAndSize(
        NULL, size + comma + PyBytes_GET_SIZE(REACTIONS) + PyBytes_GET_SIZE(counts_json)
    )
    cdef char* at = PyBytes_AS_STRING(result)
    memcpy(at, source, size - 1)
    at += size - 1
    if comma:
        at = _put_char(at, c",")
    at = _put(at, REACTIONS)
    at = _put(at, counts_json)
    _put_char(at, c"}")
    return result


def websocket_text(bytes payload not None):
    """Return a whole text message as one server frame. See the twin."""
    cdef uint8_t head[10]
    cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
    cdef int head_size = _head(head, rfc6455.TEXT, size)
    cdef bytes result = PyBytes_FromStringAndSize(NULL, head_size + size)
    cdef char* at = PyBytes_AS_STRING(result)
    memcpy(at, head, head_size)
    _put(at + head_size, payload)
    return result


def websocket_close(code, bytes reason not None):
    """Return a close frame. See the twin."""
    if not 0 <= code <= 0xFFFF or not rfc6455.is_close_code(code):
        raise ValueError(f"close code {code} may not be sent")
    cdef uint8_t octets[2]
    octets[0] = <uint8_t> (<int> code >> 8)
    octets[1] = <uint8_t> (<int> code & 0xFF)
    return _control(rfc6455.CLOSE, (<const char*> octets)[:2] + reason)


def websocket_ping(bytes payload not None):
    """Return a ping frame. See the twin."""
    return _control(rfc6455.PING, payload)


def websocket_pong(bytes payload not None):
    """Return a pong frame. See the twin."""
    return _control(rfc6455.PONG, payload)


def sse_event(bytes event not None, bytes position not None, bytes payload not None):
    """Return a server-sent event. See the twin."""
    _check_line(event)
    _check_line(position)
    _check_line(payload)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(SSE_EVENT) + PyBytes_GET_SIZE(event)
    size += PyBytes_GET_SIZE(SSE_ID) + PyBytes_GET_SIZE(position)
    size += PyBytes_GET_SIZE(SSE_DATA) + PyBytes_GET_SIZE(payload) + 2
    cdef bytes result = PyBytes_FromStringAndSize(NULL, size)
    cdef char* at = PyBytes_AS_STRING(result)
    at = _put(at, SSE_EVENT)
    at = _put(at, event)
    at = _put(at, SSE_ID)
    at = _put(at, position)
    at = _put(at, SSE_DATA)
    at = _put(at, payload)
    at = _put_char(at, c"\n")
    _put_char(at, c"\n")
    return result


cdef inline char* _put(char* at, bytes part) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(part)
    memcpy(at, PyBytes_AS_STRING(part), size)
    return at + size


cdef inline char* _put_char(char* at, char character) noexcept:
    at[0] = character
    return at + 1


cdef Py_ssize_t _array_size(bytes name, tuple parts) except -1:
    """Size of the member with its brackets and commas, 0 without parts; `TypeError` if not bytes."""
    if not parts:
        return 0
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name) + len(parts)  # commas and the closing bracket
    cdef object part
    for part in parts:
        if type(part) is not bytes:
            raise TypeError(f"expected bytes, got {type(part).__name__}")
        size += PyBytes_GET_SIZE(part)
    return size


cdef char* _put_array(char* at, bytes name, tuple parts) noexcept:
    """Write what `_array_size` has measured."""
    cdef object part
    if not parts:
        return at
    at = _put(at, name)
    for part in parts:
        at = _put(at, <bytes> part)
        at = _put_char(at, c",")
    _put_char(at - 1, c"]")  # over the last comma
    return at


cdef int _head(uint8_t* head, int opcode, Py_ssize_t size) noexcept:
    """Write the head of an unmasked, unfragmented frame (RFC 6455 section 5.2); return its size."""
    cdef int octets, i
    head[0] = <uint8_t> (rfc6455.FIN | opcode)
    if size < rfc6455.LENGTH_16:
        head[1] = <uint8_t> size
        return 2
    octets = 2 if size < 1 << 16 else 8
    head[1] = <uint8_t> (rfc6455.LENGTH_16 if octets == 2 else rfc6455.LENGTH_64)
    for i in range(octets):
        head[1 + octets - i] = <uint8_t> (size >> 8 * i & 0xFF)
    return 2 + octets


cdef bytes _control(int opcode, bytes payload):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
    if size > rfc6455.CONTROL_BYTES:
        raise ValueError(f"control frame of {size} bytes, at most {rfc6455.CONTROL_BYTES}")
    cdef bytes result = PyBytes_FromStringAndSize(NULL, 2 + size)
    cdef char* at = PyBytes_AS_STRING(result)
    at += _head(<uint8_t*> at, opcode, size)
    _put(at, payload)
    return result


cdef int _check_line(bytes field) except -1:
    cdef const char* source = PyBytes_AS_STRING(field)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(field)
    if memchr(source, c"\n", size) != NULL or memchr(source, c"\r", size) != NULL:
        raise ValueError(f"line break in a field of an event: {field[:40]!r}")
    return 0
