"""Numbers of RFC 6455 for the pure twins; `rfc6455.pxd` has the same for the native modules."""

from typing import Final

# RFC 6455 section 5.2: opcodes. Bit 3 marks control frames.
CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
OPCODES: Final = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})

# RFC 6455 section 5.2: the first two octets of a frame.
FIN: Final = 0x80
RSV: Final = 0x70
RSV1: Final = 0x40  # RFC 7692 section 6: the message is deflated
OPCODE: Final = 0x0F
CONTROL: Final = 0x08
MASKED: Final = 0x80
LENGTH: Final = 0x7F
LENGTH_16: Final = 126  # the next 2 octets are the length
LENGTH_64: Final = 127  # the next 8 octets are the length

CONTROL_BYTES: Final = 125  # RFC 6455 section 5.5: payload of a control frame, at most

# RFC 6455 section 7.4.1: why a parser gives up.
PROTOCOL_ERROR: Final = 1002
UNSUPPORTED_DATA: Final = 1003
INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009

DEFLATED_TEXT: Final = RSV1 | TEXT  # what a parser calls a text message that must be inflated

LIMIT_MAX: Final = 2**31 - 1  # bytes and fragments are 32-bit numbers in the native parser


def is_close_code(code: int) -> bool:
    """Tell whether a close frame may carry this code.

    RFC 6455 section 7.4 and the IANA registry, which has added 1012 to 1014. 1004 has no meaning;
    1005, 1006 and 1015 stand for closes without a code and never travel.
    """
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999
