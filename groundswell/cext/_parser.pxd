"""The WebSocket parser as plain C, for callers without the GIL: declarations only.

A caller zeroes nothing itself: `ws_init`, then `ws_next` until it says `WS_MORE` for each piece of
input, then `ws_clear`. A parser belongs to one thread at a time.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from groundswell.cext._utf8 cimport Utf8


cdef enum WsStatus:
    WS_MORE  # the input is used up
    WS_EVENT  # an event was written, call again
    WS_FAILED  # `parser.failed` is the code to close with; this and all further input is ignored
    WS_NO_MEMORY  # as WS_FAILED, and the fault is ours: `parser.failed` is 1011


cdef enum WsStage:
    WS_START  # first two octets of a frame head
    WS_LENGTH  # its extended length
    WS_MASK  # its masking key
    WS_PAYLOAD


cdef struct WsInput:
    uint8_t* at  # next byte; moved by ws_next, which also unmasks the bytes before it in place
    uint8_t* end


cdef struct WsEvent:
    int opcode  # TEXT, BINARY, CLOSE, PING or PONG; of a deflated message with RSV1
    const uint8_t* payload  # borrowed: until the next call on this parser, and while the input lives
    size_t size


cdef struct WsParser:
    uint8_t* buffer  # an unfinished message, then an unfinished control frame; NULL while neither
    uint32_t capacity
    uint32_t message_size  # bytes held of the message
    uint32_t message_bytes  # limit of one message
    uint32_t fragments  # frames of the message so far
    uint32_t finished  # messages, and control frames between them; modulo 2^32
    uint32_t max_fragments
    uint32_t frame_left  # payload bytes of the frame that have not come
    uint16_t failed  # close code, 0 while all is well
    uint8_t control_size  # bytes held of the control frame
    uint8_t message_opcode  # with RSV1 if it is deflated; 0 between messages
    uint8_t stage  # WsStage
    uint8_t phase  # octet of the masking key that is next
    uint8_t head[14]
    uint8_t head_size
    uint8_t head_need  # octets of the head up to the end of this stage
    bint binary  # whether binary messages are taken
    bint deflate  # whether deflated ones are
    bint closed  # a close frame came
    Utf8 utf8


cdef void ws_init(
    WsParser* parser, uint32_t message_bytes, uint32_t max_fragments, bint binary, bint deflate
) noexcept nogil
cdef void ws_clear(WsParser* parser) noexcept nogil
cdef WsStatus ws_next(WsParser* parser, WsInput* data, WsEvent* event) noexcept nogil
cdef uint64_t ws_under_way(const WsParser* parser) noexcept nogil
cdef void ws_unmask(
    uint8_t* data, size_t size, const uint8_t* mask, unsigned int phase
) noexcept nogil
