"""Group 7 of the Autobahn test suite on both planes: the closing handshake.

The server answers a close with its code and no reason (RFC 6455 section 5.5.1), one without a code
with 1000; and it listens to nothing behind a close. Beside the codes of wstest, 1012 to 1014 may be
sent: the IANA registry has added them.
"""

import pytest

from tests.broker.harness.conversation import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    case,
    chopped,
    close,
    comment,
    frame,
)

HELLO = frame(TEXT, comment("hello"))
UNHEARD = frame(TEXT, comment("not heard"))
BYE = close(1000, b"bye")

SEQUENCES = {
    "7.1.1 a message before it": case(HELLO, BYE, heard=("hello",), code=1000),
    "7.1.1 the same at once": case(HELLO + BYE, heard=("hello",), code=1000),
    "7.1.2 two of them": case(BYE, close(1001), code=1000),
    "7.1.2 the same at once": case(BYE + close(1001), code=1000),
    "7.1.3 a ping behind it": case(BYE + frame(PING, b"unheard"), code=1000),
    "7.1.4 a message behind it": case(BYE, UNHEARD, code=1000),
    "7.1.4 the same at once": case(BYE + UNHEARD, code=1000),
    "7.1.5 within a fragmented message": case(
        frame(TEXT, comment("cut")[:9], fin=False),
        BYE,
        frame(CONTINUATION, comment("cut")[9:]),
        code=1000,
    ),
    "7.1.6 a great message before it, others behind": case(
        frame(TEXT, comment("great", size=16_384)) + HELLO + BYE + frame(PING),
        heard=("great", "hello"),
        code=1000,
    ),
    "7 byte by byte": case(*chopped(HELLO, BYE, UNHEARD), heard=("hello",), code=1000),
    "7 what is no frame behind it": case(BYE + b"\xff" * 100, code=1000),
    "7 a wrong frame behind a wrong frame": case(
        frame(3), frame(BINARY, b"x"), close(1000), code=1002
    ),
    "7.3.1 empty": case(frame(CLOSE), code=1000),
    "7.3.2 of one octet": case(frame(CLOSE, b"\x03"), UNHEARD, code=1002),
    "7.3.3 a code": case(close(1000), code=1000),
    "7.3.4 a code and a reason": case(close(1000, b"Hello World!"), code=1000),
    "7.3.5 the longest reason": case(close(1000, b"*" * 123), code=1000),
    "7.3.6 a reason that is longer": case(close(1000, b"*" * 124), code=1002),
    "7.5.1 a reason that is not UTF-8": case(
        close(1000, bytes.fromhex("cebae1bdb9cf83cebcceb5eda080656469746564")), code=1007
    ),
    "7.5 a reason that ends within a character": case(close(1000, b"\xe2\x82"), code=1007),
    "7.5 a reason beyond ASCII": case(close(1000, "gr\u00fc\u00dfe".encode()), code=1000),
    "7 a close in two": case(frame(CLOSE, b"\x03\xe8", fin=False), frame(CONTINUATION), code=1002),
}

MAY_BE_SENT = (*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999)
MAY_NOT = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)

CODES = {
    **{f"7.7 {code}": case(close(code), UNHEARD, code=code) for code in MAY_BE_SENT},
    **{f"7.7 {code} with a reason": case(close(code, b"x"), code=code) for code in MAY_BE_SENT},
    **{f"7.9 or 7.13 {code}": case(close(code), UNHEARD, code=1002) for code in MAY_NOT},
    **{f"7.9 or 7.13 {code} with a reason": case(close(code, b"x"), code=1002) for code in MAY_NOT},
}


@pytest.mark.parametrize(
    "cases", [pytest.param(SEQUENCES, id="sequences"), pytest.param(CODES, id="codes")]
)
async def test_streams_end_as_those_of_autobahn_must(hold, cases):
    """RFC 6455 sections 5.5.1 and 7: one close for an answer, then nothing more."""
    await hold(cases)
