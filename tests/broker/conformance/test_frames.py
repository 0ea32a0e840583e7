"""Groups 1 to 5 of the Autobahn test suite on both planes: frames, pings, reserved bits, fragments.

The names of the cases begin with those of wstest 0.8 (crossbario/autobahn-testsuite), which wants
an echo. This protocol has none, so that here
- a text message is a comment: it was understood when the gate has its text, and an `ack` is all
  that comes back; where it must be of a length, it is filled up with white space, as JSON allows;
- a text message that is no JSON is understood when its `error` says `bad_json`;
- a binary message is refused with 1003, by the head of its first frame;
- messages are at most `stream.message_bytes`, where wstest goes on to 16 MB: beyond it 1009.
"""

import pytest

from groundswell.contract.settings import StreamSettings
from tests.broker.harness.conversation import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    WAIT,
    case,
    chopped,
    comment,
    frame,
)

LIMIT = StreamSettings().message_bytes
WIDE = 70_000  # a limit beyond 16 bits
HELLO = frame(TEXT, comment("hello"))
UNHEARD = frame(TEXT, comment("not heard"))
PING_FRAME = frame(PING, b"are you there")
PONGS = (b"are you there",)
HALVES = (
    frame(TEXT, comment("fragments")[:20], fin=False),
    frame(CONTINUATION, comment("fragments")[20:]),
)
SIZES = (125, 126, 127, 128, 4_095, 4_096, 4_097, 65_535, 65_536, WIDE)
BEYOND = (WIDE + 1, 131_072)


def sized(size):
    return frame(TEXT, comment("sized", size=size))


def of_length(size):
    """Only the head of a frame, which says how long it will be."""
    return frame(TEXT, b"")[:1] + b"\xff" + size.to_bytes(8, "big")


MESSAGES = {
    "1.1.1 empty": case(frame(TEXT), errors=("bad_json",)),
    **{f"1.1 of {size}": case(sized(size), heard=("sized",)) for size in SIZES},
    **{
        f"1.1.8 of {size} in pieces of 997": case(*chopped(sized(size), size=997), heard=("sized",))
        for size in SIZES[-3:]
    },
    **{
        f"1.1 of {size} byte by byte": case(*chopped(sized(size)), heard=("sized",))
        for size in SIZES[:4]
    },
    **{f"1.1 of {size}, too much": case(sized(size), UNHEARD, code=1009) for size in BEYOND},
    "1.1 one byte too much in pieces": case(*chopped(sized(WIDE + 1), size=997), code=1009),
    "1.1 one byte too much over fragments": case(
        frame(TEXT, comment("x", size=WIDE - 10), fin=False),
        frame(CONTINUATION, b" " * 11),
        code=1009,
    ),
    **{
        f"1.1 a claim of {size}": case(of_length(size), code=1009, unfinished=True)
        for size in (WIDE + 1, 2**31, 2**32, 2**63 - 1)
    },
    "1.1 a length of 2^63": case(of_length(2**63), code=1002, unfinished=True),
    "1.1 a length of 64 bits for 125": case(of_length(125), code=1002, unfinished=True),
    **{
        f"1.2 binary of {size}": case(frame(BINARY, b"\xfe" * size), UNHEARD, code=1003)
        for size in (0, 125, 126, 127, 128, 65_535, 65_536)
    },
    "1.2.8 binary in pieces of 997": case(
        *chopped(frame(BINARY, b"\xfe" * 65_536), size=997), code=1003
    ),
    "1.2 the head of a binary message": case(b"\x82\xfe", code=1003, unfinished=True),
}

AT_THE_LIMIT = {
    "exactly the limit": case(sized(LIMIT), heard=("sized",)),
    "exactly the limit in pieces of 997": case(*chopped(sized(LIMIT), size=997), heard=("sized",)),
    "one byte more": case(sized(LIMIT + 1), code=1009),
    "65,535": case(sized(65_535), code=1009),
    "65,536": case(sized(65_536), code=1009),
}

PINGS = {
    "2.1 empty": case(frame(PING), pongs=(b"",)),
    "2.2 text": case(PING_FRAME, pongs=PONGS),
    "2.3 not text": case(frame(PING, b"\x00\xff\xfe\xfd"), pongs=(b"\x00\xff\xfe\xfd",)),
    "2.4 of 125": case(frame(PING, b"\xfe" * 125), pongs=(b"\xfe" * 125,)),
    "2.5 of 126": case(frame(PING, b"\xfe" * 126), UNHEARD, code=1002),
    "2.6 of 125 byte by byte": case(*chopped(frame(PING, b"\xfe" * 125)), pongs=(b"\xfe" * 125,)),
    "2.7 an empty pong that nobody asked for": case(frame(PONG), HELLO, heard=("hello",)),
    "2.8 a pong that nobody asked for": case(frame(PONG, b"unasked"), HELLO, heard=("hello",)),
    "2.9 such a pong, then a ping": case(frame(PONG, b"unasked"), PING_FRAME, pongs=PONGS),
    "2.10 ten": case(
        *(frame(PING, b"%d" % i) for i in range(10)), pongs=tuple(b"%d" % i for i in range(10))
    ),
    "2.11 ten byte by byte": case(
        *chopped(*(frame(PING, b"%d" % i) for i in range(10))),
        pongs=tuple(b"%d" % i for i in range(10)),
    ),
    "2 a thousand at once": case(
        b"".join(frame(PING, b"%d" % i) for i in range(1000)),
        pongs=tuple(b"%d" % i for i in range(1000)),
    ),
}

RESERVED_BITS = {
    "3.1 RSV 1 in a text": case(frame(TEXT, comment("x"), rsv=1), UNHEARD, code=1002),
    "3.2 RSV 2 behind a text": case(
        HELLO, frame(TEXT, comment("x"), rsv=2), PING_FRAME, heard=("hello",), code=1002
    ),
    "3.3 RSV 3 behind a text, each answered": case(
        HELLO, WAIT, frame(TEXT, comment("x"), rsv=3), WAIT, PING_FRAME, heard=("hello",), code=1002
    ),
    "3.4 RSV 4 behind a text, byte by byte": case(
        *chopped(HELLO, frame(TEXT, comment("x"), rsv=4), PING_FRAME), heard=("hello",), code=1002
    ),
    "3.5 RSV 5 in a binary": case(frame(BINARY, b"\xff" * 8, rsv=5), code=1002),
    "3.6 RSV 6 in a ping": case(frame(PING, b"x", rsv=6), code=1002),
    "3.7 RSV 7 in a close": case(frame(CLOSE, b"\x03\xe8", rsv=7), code=1002),
}

RESERVED_OPCODES = {
    f"4 opcode {opcode:#x} {name}": made
    for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)
    for name, made in {
        "empty": case(frame(opcode), UNHEARD, code=1002),
        "with a payload": case(frame(opcode, b"reserved"), PING_FRAME, code=1002),
        "behind a text": case(HELLO, frame(opcode), PING_FRAME, heard=("hello",), code=1002),
        "behind a text, each answered": case(
            HELLO, WAIT, frame(opcode, b"reserved"), PING_FRAME, heard=("hello",), code=1002
        ),
        "behind a text, byte by byte": case(
            *chopped(HELLO, frame(opcode, b"reserved"), PING_FRAME), heard=("hello",), code=1002
        ),
    }.items()
}

_TWICE = (frame(CONTINUATION, b"x", fin=False), HELLO)
_FIVE = comment("in five fragments")
_PARTS = [_FIVE[i * 8 : (i + 1) * 8] if i < 4 else _FIVE[32:] for i in range(5)]
_FIRST = frame(TEXT, _PARTS[0], fin=False) + frame(CONTINUATION, _PARTS[1], fin=False)
_SECOND = frame(CONTINUATION, _PARTS[2], fin=False) + frame(CONTINUATION, _PARTS[3], fin=False)
_LAST = frame(CONTINUATION, _PARTS[4])
_BETWEEN = (HALVES[0], PING_FRAME, HALVES[1])
_STRAY = {
    "5.9 a last continuation of nothing": (frame(CONTINUATION, b"x"), UNHEARD),
    "5.12 a continuation of nothing": (frame(CONTINUATION, b"x", fin=False), UNHEARD),
    "5.16 the same again and again": _TWICE + _TWICE,
    "5.17 and with a last one": (frame(CONTINUATION, b"x"), UNHEARD) * 2,
}

FRAGMENTS = {
    "5.1 a ping in two": case(
        frame(PING, b"frag", fin=False), frame(CONTINUATION, b"ment"), code=1002
    ),
    "5.2 a pong in two": case(
        frame(PONG, b"frag", fin=False), frame(CONTINUATION, b"ment"), code=1002
    ),
    "5.3 a text in two": case(b"".join(HALVES), heard=("fragments",)),
    "5.4 frame by frame": case(*HALVES, heard=("fragments",)),
    "5.5 byte by byte": case(*chopped(*HALVES), heard=("fragments",)),
    "5.6 a ping between": case(b"".join(_BETWEEN), heard=("fragments",), pongs=PONGS),
    "5.7 a ping between, frame by frame": case(*_BETWEEN, heard=("fragments",), pongs=PONGS),
    "5.8 a ping between, byte by byte": case(
        *chopped(*_BETWEEN), heard=("fragments",), pongs=PONGS
    ),
    **{f"{name}, at once": case(b"".join(stray), code=1002) for name, stray in _STRAY.items()},
    **{f"{name}, frame by frame": case(*stray, code=1002) for name, stray in _STRAY.items()},
    **{
        f"{name}, byte by byte": case(*chopped(*stray), code=1002) for name, stray in _STRAY.items()
    },
    "5.15 a whole message, then a continuation": case(
        *HALVES, frame(CONTINUATION, b"x", fin=False), UNHEARD, heard=("fragments",), code=1002
    ),
    "5.18 a text within a text": case(
        frame(TEXT, b"frag", fin=False), frame(TEXT, b"ment"), code=1002
    ),
    "5.18 a binary within a text": case(
        frame(TEXT, b"frag", fin=False), frame(BINARY, b"ment"), code=1002
    ),
    "5.18 a whole message within a text": case(HALVES[0], UNHEARD, HALVES[1], code=1002),
    "5.19 five with pings between, answered in the midst": case(
        _FIRST,
        frame(PING, b"ping 1"),
        WAIT,
        _SECOND,
        frame(PING, b"ping 2"),
        _LAST,
        heard=("in five fragments",),
        pongs=(b"ping 1", b"ping 2"),
    ),
    "5.20 five with pings between, at once": case(
        _FIRST + frame(PING, b"ping 1") + _SECOND + frame(PING, b"ping 2") + _LAST,
        heard=("in five fragments",),
        pongs=(b"ping 1", b"ping 2"),
    ),
    "5 pongs between": case(HALVES[0], frame(PONG, b"x") * 3, HALVES[1], heard=("fragments",)),
    "5 empty fragments between": case(
        HALVES[0], frame(CONTINUATION, fin=False) * 1022, HALVES[1], heard=("fragments",)
    ),
    "5 more than 1,024 fragments": case(
        frame(TEXT, fin=False), frame(CONTINUATION, fin=False) * 1024, code=1009
    ),
    "5 a hundred thousand fragments": case(
        frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 100_000, code=1009
    ),
    "5 two messages in turn": case(*HALVES, *HALVES, heard=("fragments", "fragments")),
}

UNMASKED = {
    f"{number} unmasked, opcode {opcode:#x}, of {size}": case(
        HELLO, frame(opcode, b" " * size, masked=False), heard=("hello",), code=1002
    )
    for number, (opcode, size) in enumerate(
        [(opcode, size) for opcode in (TEXT, PING, PONG, CLOSE) for size in (0, 2, 3, 124, 125)] * 5
    )
}


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(PINGS, id="2 pings and pongs"),
        pytest.param(RESERVED_BITS, id="3 reserved bits"),
        pytest.param(RESERVED_OPCODES, id="4 reserved opcodes"),
        pytest.param(FRAGMENTS, id="5 fragments"),
    ],
)
async def test_frames_of_autobahn_come_out_as_they_must(hold, cases):
    """RFC 6455 sections 5.2, 5.4 and 5.5."""
    await hold(cases)


async def test_messages_of_autobahn_come_out_up_to_a_wide_limit(hold):
    """Group 1: lengths of 7, 16 and 64 bits, in one piece and chopped; beyond the limit 1009."""
    await hold(MESSAGES, message_bytes=WIDE)


async def test_the_limit_of_a_message_is_exact(hold):
    """`stream.message_bytes` as it is by default."""
    await hold(AT_THE_LIMIT)


async def test_an_unmasked_frame_ends_the_stream_always(hold):
    """RFC 6455 section 5.1: 100 of 100 connections are closed with 1002."""
    assert len(UNMASKED) == 100
    await hold(UNMASKED)
