# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Client frames of RFC 6455, one state machine: START -> (LENGTH) -> MASK -> PAYLOAD -> START.

Every rule is checked as soon as the octets that break it are there, so what is found never depends
on how the network cut the stream, and a length is refused before a byte of its payload is held.
Whole frames are unmasked in place and lent out of the input; only what is unfinished when the
input ends is copied, into a buffer that exists no longer than the message.

`pure_websocket.py` is the twin: change both.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from groundswell.cext cimport rfc6455
from groundswell.cext._utf8 cimport Utf8, utf8_feed

cdef enum:
    WORD = 8
    BUFFER_MIN = 256  # bytes: most client messages, so that dribbled ones grow once
    INTERNAL_ERROR = 1011


cdef void ws_init(
    WsParser* parser, uint32_t message_bytes, uint32_t max_fragments, bint binary, bint deflate
) noexcept nogil:
    """Make a parser. The limits are at least 1 and at most LIMIT_MAX. Allocates nothing."""
    memset(parser, 0, sizeof(WsParser))
    parser.message_bytes = message_bytes
    parser.max_fragments = max_fragments
    parser.binary = binary
    parser.deflate = deflate
    _start_frame(parser)


cdef void ws_clear(WsParser* parser) noexcept nogil:
    """Free what the parser holds. It may be fed or cleared again."""
    free(parser.buffer)
    parser.buffer = NULL
    parser.capacity = parser.message_size = parser.control_size = 0


cdef WsStatus ws_next(WsParser* parser, WsInput* data, WsEvent* event) noexcept nogil:
    """Read up to the next event. Events before an error are reported before it."""
    cdef int code
    cdef WsStatus status
    if parser.message_size + parser.control_size == 0:
        ws_clear(parser)  # the last event may have been lent from the buffer
    if parser.failed or parser.closed:
        # RFC 6455 section 1.4: what comes after a close frame is discarded.
        data.at = data.end
        return WS_FAILED if parser.failed else WS_MORE
    while True:
        if parser.stage == WS_PAYLOAD:
            status = _read_payload(parser, data, event)
            if status != WS_MORE or parser.stage == WS_PAYLOAD:
                return status
        else:
            if not _fill_head(parser, data):
                return WS_MORE
            code = _read_head(parser)
            if code:
                return _fail(parser, code)


cdef uint64_t ws_under_way(const WsParser* parser) noexcept nogil:
    """Return which message or control frame is incomplete, by a number of its own; 0: none is.

    A control frame within a message is part of it.
    """
    if parser.failed or parser.closed:
        return 0
    if parser.stage == WS_START and parser.head_size == 0 and parser.message_opcode == 0:
        return 0
    return <uint64_t> parser.finished + 1


cdef void ws_unmask(
    uint8_t* data, size_t size, const uint8_t* mask, unsigned int phase
) noexcept nogil:
    """XOR `data` in place with the 4 octets of `mask`, from octet `phase` on (section 5.3)."""
    cdef uint8_t pattern[WORD]
    cdef uint64_t key, word
    cdef size_t i
    for i in range(<size_t> WORD):
        pattern[i] = mask[(phase + i) & 3]
    memcpy(&key, pattern, WORD)
    i = 0
    while size - i >= WORD:
        memcpy(&word, data + i, WORD)  # memcpy: the payload is not aligned
        word ^= key
        memcpy(data + i, &word, WORD)
        i += WORD
    while i < size:
        data[i] ^= pattern[i & (WORD - 1)]
        i += 1


cdef inline void _start_frame(WsParser* parser) noexcept nogil:
    parser.stage = WS_START
    parser.head_size = 0
    parser.head_need = 2


cdef WsStatus _fail(WsParser* parser, int code) noexcept nogil:
    ws_clear(parser)
    parser.failed = code
    return WS_NO_MEMORY if code == INTERNAL_ERROR else WS_FAILED


cdef inline bint _fill_head(WsParser* parser, WsInput* data) noexcept nogil:
    """Return whether the octets of this stage are all there."""
    while parser.head_size < parser.head_need:
        if data.at == data.end:
            return False
        parser.head[parser.head_size] = data.at[0]
        parser.head_size += 1
        data.at += 1
    return True


cdef int _read_head(WsParser* parser) noexcept nogil:
    """Act on a finished stage; return 0 or the close code."""
    cdef uint8_t length
    cdef int code
    if parser.stage == WS_START:
        code = _check_start(parser)
        if code:
            return code
        length = parser.head[1] & rfc6455.LENGTH
        if length < rfc6455.LENGTH_16:
            return _expect(parser, length)
        parser.stage = WS_LENGTH
        parser.head_need = 4 if length == rfc6455.LENGTH_16 else 10
        return 0
    if parser.stage == WS_LENGTH:
        return _read_length(parser)
    parser.stage = WS_PAYLOAD
    parser.phase = 0
    return 0


cdef int _check_start(WsParser* parser) noexcept nogil:
    cdef uint8_t first = parser.head[0], second = parser.head[1]
    cdef uint8_t opcode = first & rfc6455.OPCODE, length = second & rfc6455.LENGTH
    cdef uint8_t rsv = first & rfc6455.RSV
    # RFC 7692 section 6.1: where deflate was negotiated a message's first frame may have RSV1.
    if parser.deflate and (opcode == rfc6455.TEXT or opcode == rfc6455.BINARY):
        rsv &= ~rfc6455.RSV1
    # Section 5.2: no other extension was negotiated; reserved opcodes. Section 5.1: clients mask.
    if rsv or not rfc6455.is_opcode(opcode) or not second & rfc6455.MASKED:
        return rfc6455.PROTOCOL_ERROR
    if opcode & rfc6455.CONTROL:
        # Section 5.5: not fragmented, at most 125 bytes. Section 5.5.1: no half a close code.
        if not first & rfc6455.FIN or length > rfc6455.CONTROL_BYTES:
            return rfc6455.PROTOCOL_ERROR
        if opcode == rfc6455.CLOSE and length == 1:
            return rfc6455.PROTOCOL_ERROR
        return 0
    # Section 5.4: a continuation continues something, a new message waits for the end of the old.
    if (opcode == rfc6455.CONTINUATION) != (parser.message_opcode != 0):
        return rfc6455.PROTOCOL_ERROR
    if opcode == rfc6455.BINARY and not parser.binary:
        return rfc6455.UNSUPPORTED_DATA
    if parser.fragments == parser.max_fragments:
        return rfc6455.TOO_BIG
    return 0


cdef int _read_length(WsParser* parser) noexcept nogil:
    cdef uint64_t length = 0
    cdef int i
    for i in range(2, parser.head_need):
        length = (length << 8) | parser.head[i]
    # Section 5.2: the minimal number of octets must be used, the top bit must be 0.
    if length < (rfc6455.LENGTH_16 if parser.head_need == 4 else <uint64_t> 1 << 16):
        return rfc6455.PROTOCOL_ERROR
    if length >> 63:
        return rfc6455.PROTOCOL_ERROR
    return _expect(parser, length)


cdef int _expect(WsParser* parser, uint64_t length) noexcept nogil:
    """Make ready for the payload, whose length is known and not yet trusted."""
    cdef uint8_t opcode = parser.head[0] & rfc6455.OPCODE
    if not opcode & rfc6455.CONTROL:
        # Both sides are below 2^63, so that the sum cannot wrap.
        if parser.message_size + length > parser.message_bytes:
            return rfc6455.TOO_BIG
        if opcode != rfc6455.CONTINUATION:
            # No reset of `utf8`: text that ends within a character has failed.
            parser.message_opcode = parser.head[0] & (rfc6455.RSV1 | rfc6455.OPCODE)
        parser.fragments += 1
    parser.frame_left = <uint32_t> length
    parser.stage = WS_MASK
    parser.head_need += 4
    return 0


cdef WsStatus _read_payload(WsParser* parser, WsInput* data, WsEvent* event) noexcept nogil:
    """Take what is there of the payload; the stage is START again once the frame is complete."""
    cdef uint8_t* chunk = data.at
    cdef size_t size = data.end - data.at
    cdef bint control = parser.head[0] & rfc6455.CONTROL
    cdef bint last = parser.head[0] & rfc6455.FIN
    cdef size_t held = parser.control_size if control else parser.message_size
    if size > parser.frame_left:
        size = parser.frame_left
    data.at += size
    ws_unmask(chunk, size, parser.head + parser.head_need - 4, parser.phase)
    parser.phase = (parser.phase + size) & 3
    parser.frame_left -= <uint32_t> size
    # Section 8.1: text that is not UTF-8 fails the connection; here with its first wrong byte.
    # Deflated text is checked by who inflates it.
    if not control and parser.message_opcode == rfc6455.TEXT:
        if not utf8_feed(&parser.utf8, chunk, size):
            return _fail(parser, rfc6455.INVALID_DATA)
    if parser.frame_left or not last or held:
        if not _hold(parser, chunk, size, control):
            return _fail(parser, INTERNAL_ERROR)
        if parser.frame_left:
            return WS_MORE
        chunk = parser.buffer + (parser.message_size if control else 0)
    _start_frame(parser)
    if not last:
        return WS_MORE
    event.payload = chunk
    event.size = held + size
    return _end_control(parser, event) if control else _end_message(parser, event)


cdef bint _hold(WsParser* parser, const uint8_t* chunk, size_t size, bint control) noexcept nogil:
    """Keep unmasked bytes past this input; return False where memory ran out.

    The buffer grows with what has come, never with what a head announces.
    """
    cdef uint64_t end = <uint64_t> parser.message_size + parser.control_size
    cdef uint64_t capacity
    cdef uint8_t* buffer
    if size == 0:
        return True
    if end + size > parser.capacity:
        capacity = 2 * <uint64_t> parser.capacity
        capacity = min(capacity, <uint64_t> parser.message_bytes + rfc6455.CONTROL_BYTES)
        capacity = max(capacity, end + size, <uint64_t> BUFFER_MIN)
        buffer = <uint8_t*> realloc(parser.buffer, capacity)
        if buffer == NULL:
            return False
        parser.buffer = buffer
        parser.capacity = <uint32_t> capacity
    memcpy(parser.buffer + end, chunk, size)
    if control:
        parser.control_size += <uint8_t> size
    else:
        parser.message_size += <uint32_t> size
    return True


cdef WsStatus _end_message(WsParser* parser, WsEvent* event) noexcept nogil:
    event.opcode = parser.message_opcode
    parser.message_opcode = 0
    parser.message_size = parser.fragments = 0
    parser.finished += 1
    # Section 8.1: a message must not end inside a character.
    if event.opcode == rfc6455.TEXT and parser.utf8.missing:
        return _fail(parser, rfc6455.INVALID_DATA)
    return WS_EVENT


cdef WsStatus _end_control(WsParser* parser, WsEvent* event) noexcept nogil:
    cdef Utf8 reason
    event.opcode = parser.head[0] & rfc6455.OPCODE
    parser.control_size = 0
    parser.finished += parser.message_opcode == 0
    if event.opcode != rfc6455.CLOSE:
        return WS_EVENT
    parser.closed = True
    if event.size:
        # Section 7.4: which codes may be there. Section 5.5.1: the reason is UTF-8.
        if not rfc6455.is_close_code(event.payload[0] << 8 | event.payload[1]):
            return _fail(parser, rfc6455.PROTOCOL_ERROR)
        memset(&reason, 0, sizeof(Utf8))
        if not utf8_feed(&reason, event.payload + 2, event.size - 2) or reason.missing:
            return _fail(parser, rfc6455.INVALID_DATA)
    return WS_EVENT
