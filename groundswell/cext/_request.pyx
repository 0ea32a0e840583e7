# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Reads the head of a stream request, and of nothing else; contract in `_request.pyi`.

It is strict where aiohttp forgives: whatever looks unusual is left to aiohttp, which stays the only
judge of what HTTP is. So all that is read here must mean the same there.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport uint8_t
from libc.string cimport memcmp


cdef extern from "string.h" nogil:
    void* memmem(const void* haystack, size_t size, const void* needle, size_t needle_size)


cdef extern from "strings.h" nogil:
    int strncasecmp(const char* a, const char* b, size_t size)


cdef enum:
    HEADERS_MAX = 64  # server/listener.py tells aiohttp the same
    HEAD_BYTES_MAX = 8190
    FIELDS = 13
    FORBIDDEN = 3

# In the order of the fields that are returned.
cdef (const char*) NAMES[FIELDS]
NAMES[:] = [
    b"host", b"upgrade", b"connection", b"sec-websocket-version", b"sec-websocket-key",
    b"sec-websocket-protocol", b"sec-websocket-extensions", b"accept", b"authorization",
    b"origin", b"last-event-id", b"x-forwarded-for", b"x-request-id",
]
cdef size_t NAME_SIZES[FIELDS]
NAME_SIZES[:] = [4, 7, 10, 21, 17, 22, 24, 6, 13, 6, 13, 15, 12]
cdef (const char*) FORBIDDEN_NAMES[FORBIDDEN]
FORBIDDEN_NAMES[:] = [b"content-length", b"transfer-encoding", b"expect"]
cdef size_t FORBIDDEN_SIZES[FORBIDDEN]
FORBIDDEN_SIZES[:] = [14, 17, 6]

cdef bytes BEFORE = b"GET /live/"
cdef bytes AFTER = b"/comments/stream"
cdef bytes QUERY = b"?position="
cdef bytes VERSION = b" HTTP/1.1\r\n"
cdef bytes END = b"\r\n\r\n"


def parse_stream_request(bytes data not None):
    """Return video, position, leftover and the fields, or None for all else. See the stub."""
    cdef const char* start = PyBytes_AS_STRING(data)
    cdef size_t size = PyBytes_GET_SIZE(data)
    cdef const char* end = <const char*> memmem(start, size, PyBytes_AS_STRING(END), 4)
    cdef const char* at = start
    cdef const char* video
    cdef const char* position = NULL
    cdef size_t video_size, position_size = 0
    cdef (const char*) values[FIELDS]
    cdef size_t sizes[FIELDS]
    cdef int i
    if end == NULL or end - start > HEAD_BYTES_MAX or not skip(&at, end, BEFORE):
        return None
    video = at
    while at < end and is_unreserved(at[0]):
        at += 1
    video_size = at - video
    if video_size == 0 or not skip(&at, end, AFTER):
        return None
    if skip(&at, end, QUERY):
        position = at
        while at < end and is_position_byte(at):
            at += 1
        position_size = at - position
    if not skip(&at, end, VERSION):
        return None
    for i in range(FIELDS):
        values[i] = NULL
        sizes[i] = 0
    if not read_headers(at, end + 2, values, sizes) or values[0] == NULL:
        return None  # without Host it is no request of HTTP/1.1
    cdef tuple fields = (
        text(values[0], sizes[0]), text(values[1], sizes[1]), text(values[2], sizes[2]),
        text(values[3], sizes[3]), text(values[4], sizes[4]), text(values[5], sizes[5]),
        text(values[6], sizes[6]), text(values[7], sizes[7]), text(values[8], sizes[8]),
        text(values[9], sizes[9]), text(values[10], sizes[10]), text(values[11], sizes[11]),
        text(values[12], sizes[12]),
    )
    end += 4
    leftover = PyBytes_FromStringAndSize(end, size - (end - start))
    return text(video, video_size), unquoted(text(position, position_size)), leftover, fields


cdef inline object text(const char* value, size_t size):
    return None if value == NULL else PyUnicode_DecodeASCII(value, size, NULL)


cdef inline object unquoted(str position):
    # URLSearchParams and its like quote the colon.
    if position is None or "%" not in position:
        return position
    return position.replace("%3A", ":").replace("%3a", ":")


cdef inline bint skip(const char** at, const char* end, bytes words) noexcept:
    """Step over these words, where they come next."""
    cdef size_t size = PyBytes_GET_SIZE(words)
    # What follows `end` are the four bytes of END, so that reading up to there is safe.
    if <size_t> (end + 4 - at[0]) < size or memcmp(at[0], PyBytes_AS_STRING(words), size) != 0:
        return False
    at[0] += size
    return True


cdef inline bint is_unreserved(char byte) noexcept nogil:
    """RFC 3986 section 2.3: what no percent sign is needed for."""
    return (
        b"a" <= byte <= b"z" or b"A" <= byte <= b"Z" or b"0" <= byte <= b"9"
        or byte == b"-" or byte == b"_" or byte == b"." or byte == b"~"
    )


cdef inline bint is_position_byte(const char* at) noexcept nogil:
    """Also of the colon, quoted or not; CRLF follows, so that three bytes can be looked at."""
    return (
        is_unreserved(at[0]) or at[0] == b":"
        or at[0] == b"%" and at[1] == b"3" and (at[2] == b"A" or at[2] == b"a")
    )


cdef inline bint is_name_byte(char byte) noexcept nogil:
    """Letters, digits and what header names have beside them; tokens may have more."""
    return is_unreserved(byte) and byte != b"~" and byte != b"."


cdef bint read_headers(
    const char* at, const char* end, const char** values, size_t* sizes
) noexcept nogil:
    """Read lines up to `end`, each with its CRLF; False: something is unusual."""
    cdef const char* name
    cdef const char* value
    cdef const char* stop
    cdef int count = 0, known
    while at < end:
        count += 1
        if count > HEADERS_MAX:
            return False
        name = at
        while at < end and is_name_byte(at[0]):
            at += 1
        if at == name or at == end or at[0] != b":":
            return False
        known = index_of(name, at - name)
        if known < 0 and is_forbidden(name, at - name):
            return False
        at += 1
        value = at
        while at < end and at[0] != b"\r":
            # Visible ASCII, spaces and tabs; a value that we use must have nothing else.
            if not (b" " <= at[0] < 127 or at[0] == b"\t"):
                if known >= 0 or <uint8_t> at[0] < 128:
                    return False
            at += 1
        if end - at < 2 or at[1] != b"\n":
            return False
        stop = at
        at += 2
        if known < 0:
            continue
        while value < stop and (value[0] == b" " or value[0] == b"\t"):
            value += 1
        while value < stop and ((stop - 1)[0] == b" " or (stop - 1)[0] == b"\t"):
            stop -= 1
        if values[known] != NULL:
            return False  # twice
        values[known] = value
        sizes[known] = stop - value
    return True


cdef inline int index_of(const char* name, size_t size) noexcept nogil:
    cdef int i
    for i in range(FIELDS):
        if NAME_SIZES[i] == size and strncasecmp(name, NAMES[i], size) == 0:
            return i
    return -1


cdef inline bint is_forbidden(const char* name, size_t size) noexcept nogil:
    """A body, or a client that waits to be asked for one."""
    cdef int i
    for i in range(FORBIDDEN):
        if FORBIDDEN_SIZES[i] == size and strncasecmp(name, FORBIDDEN_NAMES[i], size) == 0:
            return True
    return False
