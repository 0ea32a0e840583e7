"""The parser rule by rule: what RFC 6455 allows comes out, what it forbids ends in its code."""

import struct
from types import ModuleType

import pytest

from groundswell.cext.websocket import BINARY, CLOSE, DEFLATED_TEXT, PING, PONG, TEXT

CONTINUATION = 0
MASK = bytes.fromhex("37fa213d")
HELLO = bytes.fromhex("818537fa213d7f9f4d5158")  # RFC 6455 section 5.7: masked "Hello"
DEFLATED_HELLO = bytes.fromhex("f248cdc9c90700")  # RFC 7692 section 7.2.3.1
RSV1 = 4


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, length: bytes = b""
) -> bytes:
    """Return a client frame; `length` replaces the octets after the first one."""
    size = len(payload)
    if not length:
        if size < 126:
            length = bytes((0x80 | size,))
        else:
            length = struct.pack("!BH", 0xFE, size) if size < 1 << 16 else wide_length(size)
    masked = bytes(octet ^ MASK[i & 3] for i, octet in enumerate(payload))
    return bytes((fin << 7 | rsv << 4 | opcode,)) + length + MASK + masked


def wide_length(size: int) -> bytes:
    """Return a masked length of 64 bits."""
    return struct.pack("!BQ", 0xFF, size)


def outcome(
    websocket: ModuleType,
    stream: bytes,
    *,
    binary: bool = False,
    deflate: bool = False,
    limit: int = 1000,
) -> tuple[list[tuple[int, bytes]], int]:
    """Feed a fresh parser at once and byte by byte: events and code must be the same."""
    whole = websocket.Parser(message_bytes=limit, binary=binary, deflate=deflate)
    events = whole.feed(stream)
    dribbled = websocket.Parser(message_bytes=limit, binary=binary, deflate=deflate)
    pieces = [event for octet in stream for event in dribbled.feed(bytes((octet,)))]
    assert (pieces, dribbled.failed) == (events, whole.failed)
    return events, whole.failed


class TestMessages:
    def test_masked_text_is_the_example_of_the_rfc(self, websocket: ModuleType) -> None:
        """RFC 6455 section 5.7: a single-frame masked text message."""
        assert outcome(websocket, HELLO) == ([(TEXT, b"Hello")], 0)

    def test_masked_pong_is_the_example_of_the_rfc(self, websocket: ModuleType) -> None:
        """RFC 6455 section 5.7: the masked response to a ping."""
        stream = bytes.fromhex("8a8537fa213d7f9f4d5158")
        assert outcome(websocket, stream) == ([(PONG, b"Hello")], 0)

    def test_fragments_are_joined(self, websocket: ModuleType) -> None:
        """RFC 6455 section 5.7, "Hel" and "lo", masked as clients must; empty ones count too."""
        stream = (
            frame(TEXT, fin=False)
            + frame(CONTINUATION, b"Hel", fin=False)
            + frame(CONTINUATION, fin=False)
            + frame(CONTINUATION, b"lo")
        )
        assert outcome(websocket, stream + HELLO) == ([(TEXT, b"Hello"), (TEXT, b"Hello")], 0)

    def test_control_frames_may_stand_between_fragments(self, websocket: ModuleType) -> None:
        """RFC 6455 section 5.4: they come out first and leave the message alone."""
        stream = (
            frame(TEXT, b"Hel", fin=False)
            + frame(PING, b"p" * 125)
            + frame(CONTINUATION, b"l", fin=False)
            + frame(PONG)
            + frame(CONTINUATION, b"o")
        )
        expected = [(PING, b"p" * 125), (PONG, b""), (TEXT, b"Hello")]
        assert outcome(websocket, stream) == (expected, 0)

    @pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
    def test_every_form_of_length_is_read(self, websocket: ModuleType, size: int) -> None:
        """RFC 6455 section 5.2: 7, 16 and 64 bits."""
        payload = b"x" * size
        stream = frame(TEXT, payload) + HELLO
        assert outcome(websocket, stream, limit=200_000) == (
            [(TEXT, payload), (TEXT, b"Hello")],
            0,
        )

    def test_binary_is_taken_where_it_was_asked_for(self, websocket: ModuleType) -> None:
        """Binary payloads need not be UTF-8."""
        stream = frame(BINARY, b"\xff", fin=False) + frame(CONTINUATION, b"\x80")
        assert outcome(websocket, stream, binary=True) == ([(BINARY, b"\xff\x80")], 0)

    def test_close_comes_raw_and_is_the_last_event(self, websocket: ModuleType) -> None:
        """RFC 6455 section 1.4: what follows a close frame is discarded."""
        payload = b"\x03\xe8" + "gr\u00fc\u00dfe".encode()
        stream = frame(CLOSE, payload) + HELLO + b"\xff\xff"
        assert outcome(websocket, stream) == ([(CLOSE, payload)], 0)

    def test_close_may_be_empty(self, websocket: ModuleType) -> None:
        """RFC 6455 section 5.5.1: a code may be there."""
        assert outcome(websocket, frame(CLOSE)) == ([(CLOSE, b"")], 0)


class TestProtocolErrors:
    @pytest.mark.parametrize(
        "stream",
        [
            pytest.param(bytes.fromhex("810548656c6c6f"), id="unmasked"),
            pytest.param(frame(TEXT, rsv=4), id="rsv1"),
            pytest.param(frame(TEXT, rsv=2), id="rsv2"),
            pytest.param(frame(PING, rsv=1), id="rsv3"),
            *(
                pytest.param(frame(opcode), id=f"reserved opcode {opcode:X}")
                for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)
            ),
            pytest.param(frame(PING, fin=False), id="fragmented ping"),
            pytest.param(frame(CLOSE, fin=False), id="fragmented close"),
            pytest.param(frame(PING, b"x" * 126), id="long ping"),
            pytest.param(frame(CLOSE, b"\x03\xe8" + b"x" * 124), id="long close"),
            pytest.param(frame(CONTINUATION, b"x"), id="stray continuation"),
            pytest.param(frame(TEXT, fin=False) + frame(TEXT), id="text in a message"),
            pytest.param(frame(TEXT, fin=False) + frame(BINARY), id="binary in a message"),
            pytest.param(frame(TEXT, length=b"\xfe\x00\x7d"), id="16 bits for 125"),
            pytest.param(frame(TEXT, length=wide_length(65_535)), id="64 bits for 65,535"),
            pytest.param(frame(TEXT, length=wide_length(1 << 63)), id="top bit of the length"),
            pytest.param(frame(CLOSE, b"\x03"), id="half a close code"),
        ],
    )
    def test_end_in_1002_after_the_events_before(
        self, websocket: ModuleType, stream: bytes
    ) -> None:
        """RFC 6455 sections 5.1 to 5.5; nothing after the error is read."""
        assert outcome(websocket, HELLO + stream + HELLO) == ([(TEXT, b"Hello")], 1002)

    def test_close_codes_are_those_of_the_rfc_and_the_registry(self, websocket: ModuleType) -> None:
        """RFC 6455 section 7.4 with 1012 to 1014 of the IANA registry, of all 65,536 codes."""
        taken = set()
        for code in range(1 << 16):
            parser = websocket.Parser(message_bytes=1)
            if parser.feed(frame(CLOSE, code.to_bytes(2, "big"))):
                taken.add(code)
            else:
                assert parser.failed == 1002
        expected = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}
        assert taken == expected


class TestDeflatedMessages:
    """Of a connection that negotiated RFC 7692; others fail with `rsv1` above."""

    def test_come_out_as_they_are_with_their_mark(self, websocket: ModuleType) -> None:
        """RFC 7692 section 7.2.3.1; plain messages may stand between them."""
        deflated = frame(TEXT, DEFLATED_HELLO, rsv=RSV1)
        expected = [(DEFLATED_TEXT, DEFLATED_HELLO), (TEXT, b"Hello")] * 2
        assert outcome(websocket, (deflated + HELLO) * 2, deflate=True) == (expected, 0)

    def test_may_be_fragmented_with_the_mark_on_the_first(self, websocket: ModuleType) -> None:
        """RFC 7692 section 7.2.3.1, its second example; control frames between are plain."""
        stream = (
            frame(TEXT, DEFLATED_HELLO[:3], rsv=RSV1, fin=False)
            + frame(PING)
            + frame(CONTINUATION, DEFLATED_HELLO[3:])
            + HELLO
        )
        expected = [(PING, b""), (DEFLATED_TEXT, DEFLATED_HELLO), (TEXT, b"Hello")]
        assert outcome(websocket, stream, deflate=True) == (expected, 0)

    def test_are_no_text_before_they_are_inflated(self, websocket: ModuleType) -> None:
        """Their bytes are rarely UTF-8; plain text is still held to it."""
        stream = frame(TEXT, b"\xff\xc0", rsv=RSV1)
        assert outcome(websocket, stream, deflate=True) == ([(DEFLATED_TEXT, b"\xff\xc0")], 0)
        stream += frame(TEXT, b"\xff")
        assert outcome(websocket, stream, deflate=True) == ([(DEFLATED_TEXT, b"\xff\xc0")], 1007)

    def test_are_held_to_the_limit_as_they_come(self, websocket: ModuleType) -> None:
        """What may be deflated is not more than what may be plain."""
        over = frame(TEXT, b"x" * 101, rsv=RSV1)
        assert outcome(websocket, over, deflate=True, limit=100) == ([], 1009)

    def test_are_binary_where_that_is_taken(self, websocket: ModuleType) -> None:
        """The mark says nothing about the kind."""
        stream = frame(BINARY, b"x", rsv=RSV1)
        assert outcome(websocket, stream, deflate=True) == ([], 1003)
        marked = BINARY | RSV1 << 4
        assert outcome(websocket, stream, deflate=True, binary=True) == ([(marked, b"x")], 0)

    @pytest.mark.parametrize(
        "stream",
        [
            pytest.param(frame(PING, rsv=RSV1), id="ping"),
            pytest.param(frame(CLOSE, rsv=RSV1), id="close"),
            pytest.param(frame(CONTINUATION, rsv=RSV1), id="stray continuation"),
            pytest.param(
                frame(TEXT, rsv=RSV1, fin=False) + frame(CONTINUATION, rsv=RSV1),
                id="continuation",
            ),
            pytest.param(frame(TEXT, rsv=RSV1 | 2), id="rsv2, too"),
            pytest.param(frame(TEXT, rsv=RSV1 | 1), id="rsv3, too"),
            pytest.param(frame(3, rsv=RSV1), id="reserved opcode"),
        ],
    )
    def test_have_their_mark_nowhere_else(self, websocket: ModuleType, stream: bytes) -> None:
        """RFC 7692 section 6.1: not on control frames and not on later fragments."""
        assert outcome(websocket, HELLO + stream, deflate=True) == ([(TEXT, b"Hello")], 1002)


class TestInvalidText:
    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param(b"\x80", id="lone continuation byte"),
            pytest.param(b"\xc0\xaf", id="overlong of two"),
            pytest.param(b"\xe0\x80\xaf", id="overlong of three"),
            pytest.param(b"\xf0\x80\x80\xaf", id="overlong of four"),
            pytest.param(b"\xed\xa0\x80", id="surrogate"),
            pytest.param(b"\xf4\x90\x80\x80", id="over U+10FFFF"),
            pytest.param(b"\xff", id="never a byte of UTF-8"),
        ],
    )
    def test_ends_in_1007_whole_or_fragmented(self, websocket: ModuleType, wrong: bytes) -> None:
        """RFC 6455 section 8.1."""
        text = b"0123456789abcdef" + wrong + b"z"
        assert outcome(websocket, frame(TEXT, text)) == ([], 1007)
        fragments = frame(TEXT, text[:17], fin=False) + frame(CONTINUATION, text[17:])
        assert outcome(websocket, fragments) == ([], 1007)

    @pytest.mark.parametrize(
        "start", [b"ab\xe0\x9f", b"ab\xed\xa0", b"\xf0\x8f", b"a\xf4\x90", b"\xf5"]
    )
    def test_is_found_before_the_message_is_complete(
        self, websocket: ModuleType, start: bytes
    ) -> None:
        """The first wrong byte is enough, in the midst of a frame."""
        parser = websocket.Parser(message_bytes=1000)
        head_and_start = frame(TEXT, start + b"x" * 100)[: 2 + 4 + len(start)]
        parser.feed(head_and_start[:-1])
        assert parser.failed == 0
        parser.feed(head_and_start[-1:])
        assert parser.failed == 1007

    def test_may_not_end_within_a_character(self, websocket: ModuleType) -> None:
        """Between fragments a character may be cut, at the end it may not."""
        euro = "\u20ac".encode()
        cut = frame(TEXT, euro[:2], fin=False)
        assert outcome(websocket, cut + frame(CONTINUATION, euro[2:])) == ([(TEXT, euro)], 0)
        assert outcome(websocket, cut + frame(CONTINUATION)) == ([], 1007)

    def test_of_one_message_leaves_no_trace_in_the_next(self, websocket: ModuleType) -> None:
        """Control payloads are no text, and each message starts afresh."""
        stream = frame(PING, b"\xe2\x82") + HELLO + frame(TEXT, b"\xac")
        assert outcome(websocket, stream) == ([(PING, b"\xe2\x82"), (TEXT, b"Hello")], 1007)

    def test_in_a_close_reason_ends_in_1007(self, websocket: ModuleType) -> None:
        """RFC 6455 section 5.5.1: the reason is UTF-8, to its end."""
        assert outcome(websocket, frame(CLOSE, b"\x03\xe8\xe2\x82")) == ([], 1007)


class TestLimits:
    def test_binary_ends_in_1003(self, websocket: ModuleType) -> None:
        """The head of the frame is enough."""
        assert outcome(websocket, frame(BINARY, b"x")[:2]) == ([], 1003)

    @pytest.mark.parametrize("announced", [1001, 65_535, 65_536, 2**31, 2**32 + 5, 2**63 - 1])
    def test_announced_length_over_the_limit_ends_in_1009_at_once(
        self, websocket: ModuleType, announced: int
    ) -> None:
        """Not a byte of the payload is waited for."""
        if announced < 1 << 16:
            length = b"\xfe" + announced.to_bytes(2, "big")
        else:
            length = wide_length(announced)
        head = frame(TEXT, length=length)[:-4]
        assert outcome(websocket, head[:-1]) == ([], 0)
        assert outcome(websocket, head) == ([], 1009)

    def test_limit_is_of_the_message_and_not_of_the_frame(self, websocket: ModuleType) -> None:
        """Exactly the limit is taken; one byte more, in whatever fragment, is not."""
        start = frame(TEXT, b"x" * 600, fin=False)
        assert outcome(websocket, start + frame(CONTINUATION, b"y" * 400)) == (
            [(TEXT, b"x" * 600 + b"y" * 400)],
            0,
        )
        assert outcome(websocket, start + frame(CONTINUATION, b"y" * 401)) == ([], 1009)
        assert outcome(websocket, start + frame(PING, b"p" * 125)) == ([(PING, b"p" * 125)], 0)

    def test_fragments_are_limited_too(self, websocket: ModuleType) -> None:
        """Empty fragments cost no bytes, so bytes alone would not stop them."""
        at_limit = frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 1022
        assert outcome(websocket, (at_limit + frame(CONTINUATION)) * 2) == (
            [(TEXT, b""), (TEXT, b"")],
            0,
        )
        over = at_limit + frame(CONTINUATION, fin=False) + frame(CONTINUATION)
        assert outcome(websocket, over) == ([], 1009)

    @pytest.mark.parametrize("limit", [0, -1, 2**31, 2**70])
    def test_limits_out_of_bounds_are_refused(self, websocket: ModuleType, limit: int) -> None:
        """A parser without limits cannot be made."""
        with pytest.raises(ValueError, match=f"message_bytes is {limit}"):
            websocket.Parser(message_bytes=limit)
        with pytest.raises(ValueError, match=f"max_fragments is {limit}"):
            websocket.Parser(message_bytes=1, max_fragments=limit)


class TestUnderWay:
    def test_is_another_number_for_each_message_and_frame_between(
        self, websocket: ModuleType
    ) -> None:
        """Fragments and the control frames among them are of one message."""
        parser = websocket.Parser(message_bytes=1000)
        ping = frame(PING, b"ping")
        fragment = frame(TEXT, b"abc", fin=False)
        steps = [
            (HELLO, 0),
            (HELLO[:1], 2),
            (HELLO[1:-1], 2),
            (HELLO[-1:] + HELLO[:1], 3),
            (HELLO[1:] + ping[:3], 4),
            (ping[3:] + ping + ping[:1], 6),
            (ping[1:], 0),
            (fragment, 7),
            (ping[:3], 7),
            (ping[3:] + ping, 7),
            (frame(CONTINUATION), 0),
            (fragment + ping + frame(CONTINUATION) + HELLO + fragment, 10),
        ]
        for data, number in steps:
            parser.feed(data)
            assert parser.under_way == number
        assert parser.failed == 0

    @pytest.mark.parametrize("last", [frame(TEXT), frame(CLOSE)], ids=["error", "close"])
    def test_is_nothing_at_the_end(self, websocket: ModuleType, last: bytes) -> None:
        """Nothing more is read."""
        parser = websocket.Parser(message_bytes=1000)
        parser.feed(frame(TEXT, b"abc", fin=False))
        parser.feed(last)
        assert parser.under_way == 0
        parser.feed(HELLO[:3])
        assert parser.under_way == 0


class TestBuffered:
    def test_counts_what_is_held_of_unfinished_frames(self, websocket: ModuleType) -> None:
        """Heads are not held, finished frames are let go."""
        parser = websocket.Parser(message_bytes=1000)
        ping = frame(PING, b"pong?")
        steps = [
            (HELLO, 0),
            (HELLO[:-2], 3),
            (HELLO[-2:], 0),
            (frame(TEXT, b"abc", fin=False), 3),
            (ping[:-1], 7),
            (ping[-1:], 3),
            (frame(CONTINUATION, b"d"), 0),
        ]
        for data, held in steps:
            parser.feed(data)
            assert parser.buffered == held
        assert parser.failed == 0

    def test_is_nothing_after_an_error(self, websocket: ModuleType) -> None:
        """What can never be completed is not kept."""
        parser = websocket.Parser(message_bytes=1000)
        parser.feed(frame(TEXT, b"x" * 500, fin=False))
        assert parser.buffered == 500
        parser.feed(frame(TEXT))
        assert (parser.failed, parser.buffered) == (1002, 0)
        assert parser.feed(HELLO) == []
        assert (parser.failed, parser.buffered) == (1002, 0)
