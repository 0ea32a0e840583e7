"""Numbers of RFC 6455 for the native modules; the reasons stand in `rfc6455.py`."""

cdef enum:
    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA

    FIN = 0x80
    RSV = 0x70
    RSV1 = 0x40
    OPCODE = 0x0F
    CONTROL = 0x08
    MASKED = 0x80
    LENGTH = 0x7F
    LENGTH_16 = 126
    LENGTH_64 = 127

    CONTROL_BYTES = 125

    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_DATA = 1007
    TOO_BIG = 1009

    LIMIT_MAX = 0x7FFFFFFF


cdef inline bint is_opcode(int opcode) noexcept nogil:
    return opcode <= BINARY or CLOSE <= opcode <= PONG


cdef inline bint is_close_code(long code) noexcept nogil:
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999
