"""The parser under arbitrary bytes and cuts, against a reference encoder, its twin, other code."""

from collections.abc import Callable
from itertools import pairwise
from types import ModuleType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets import frames as websockets_frames

from groundswell.cext import pure_websocket
from groundswell.cext.websocket import BINARY, CLOSE, PING, PONG, TEXT

CONTINUATION = 0
CONTROL = st.tuples(st.sampled_from((PING, PONG)), st.binary(max_size=125))
LIMIT = 300
DOCUMENTED = {0, 1002, 1003, 1007, 1009}

Events = list[tuple[int, bytes]]
Frame = tuple[int, bytes]  # FIN and opcode in one octet as on the wire, payload
Encode = Callable[[int, bytes], bytes]
FIN = 0x80
RSV1 = 0x40


def encode(first: int, payload: bytes, mask: bytes = b"\x9f\x01\xe7\x42") -> bytes:
    """Return one client frame, by the letter of RFC 6455 section 5.2."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((first, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0xFF)) + size.to_bytes(8, "big")
    return head + mask + bytes(octet ^ mask[i % 4] for i, octet in enumerate(payload))


def encode_by_websockets(first: int, payload: bytes) -> bytes:
    """Return one client frame as the websockets library writes it."""
    opcode = websockets_frames.Opcode(first & ~FIN)
    return websockets_frames.Frame(opcode, payload, fin=first >= FIN).serialize(mask=True)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[Frame], Events]:
    """Frames of a correct client, and the events that they must become."""
    frames: list[Frame] = []
    events: Events = []
    for text in draw(st.lists(st.text(max_size=60), max_size=4)):
        payload = text.encode()
        cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
        opcode = TEXT
        for start, end in pairwise([0, *cuts]):
            frames.append((opcode, payload[start:end]))
            opcode = CONTINUATION
            for control in draw(st.lists(CONTROL, max_size=1)):
                frames.append((FIN | control[0], control[1]))
                events.append(control)
        frames.append((FIN | opcode, payload[cuts[-1] if cuts else 0 :]))
        events.append((TEXT, payload))
    if draw(st.booleans()):
        close = (CLOSE, (1000).to_bytes(2, "big") + draw(st.text(max_size=30)).encode())
        frames.append((FIN | CLOSE, close[1]))
        events.append(close)
    return frames, events


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    """Cut a stream at these places, taken modulo its length."""
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[a:b] for a, b in pairwise(places)]


CUTS = st.lists(st.integers(0, 2000), max_size=12)

FRAGMENTS = st.one_of(  # of streams: mostly near to valid, so that every rule is reached
    st.binary(max_size=40),
    st.builds(
        encode,
        st.builds(
            int.__or__,
            st.sampled_from((0, FIN, FIN, RSV1, FIN | RSV1)),
            st.sampled_from((0, 0, TEXT, TEXT, BINARY, CLOSE, PING, PONG, 3)),
        ),
        st.one_of(st.text(max_size=90).map(str.encode), st.binary(max_size=130)),
        st.binary(min_size=4, max_size=4),
    ),
)
STREAMS = st.lists(FRAGMENTS, max_size=8).map(b"".join)


class TestValidStreams:
    @pytest.mark.parametrize("encoder", [encode, encode_by_websockets])
    @given(conversation=conversations(), cuts=CUTS)
    def test_decode_to_what_was_sent_at_any_cut(
        self,
        websocket: ModuleType,
        encoder: Encode,
        conversation: tuple[list[Frame], Events],
        cuts: list[int],
    ) -> None:
        """A correct client is understood, whichever way its stream is cut."""
        frames, events = conversation
        stream = b"".join(encoder(*frame) for frame in frames)
        parser = websocket.Parser(message_bytes=LIMIT)
        received = [event for piece in pieces(stream, cuts) for event in parser.feed(piece)]
        assert (received, parser.failed, parser.buffered) == (events, 0, 0)

    @pytest.mark.parametrize("size", [4_095, 4_096, 4_097, 70_000])
    def test_decode_around_the_size_of_a_read(self, websocket: ModuleType, size: int) -> None:
        """Long messages come out whole where input is taken in blocks."""
        payload = bytes(i % 95 + 32 for i in range(size))
        stream = encode(FIN | PING, b"p") + encode_by_websockets(FIN | TEXT, payload)
        parser = websocket.Parser(message_bytes=size)
        assert parser.feed(stream * 2) == [(PING, b"p"), (TEXT, payload)] * 2


class TestAnyStream:
    @given(stream=STREAMS, cuts=CUTS, deflate=st.booleans())
    def test_is_accepted_or_fails_with_a_documented_code(
        self, websocket: ModuleType, stream: bytes, cuts: list[int], *, deflate: bool
    ) -> None:
        """Nothing else is raised, nothing over the limits is held or handed out."""
        texts = (TEXT, TEXT | RSV1) if deflate else (TEXT,)
        parser = websocket.Parser(message_bytes=LIMIT, deflate=deflate)
        for piece in pieces(stream, cuts):
            for opcode, payload in parser.feed(piece):
                assert opcode in (*texts, CLOSE, PING, PONG)
                assert len(payload) <= (LIMIT if opcode in texts else 125)
            assert parser.failed in DOCUMENTED
            assert parser.buffered <= LIMIT + 125

    @given(
        stream=STREAMS,
        cuts=CUTS,
        binary=st.booleans(),
        deflate=st.booleans(),
        max_fragments=st.integers(1, 4),
    )
    @example(stream=b"\x01\x80" + bytes(4), cuts=[], binary=False, deflate=False, max_fragments=1)
    @example(stream=b"\x41\x80" + bytes(4), cuts=[1], binary=False, deflate=True, max_fragments=4)
    def test_is_read_alike_by_native_and_pure_at_any_cut(
        self,
        native_websocket: ModuleType,
        stream: bytes,
        cuts: list[int],
        *,
        binary: bool,
        deflate: bool,
        max_fragments: int,
    ) -> None:
        """Events, code and bytes held agree after every piece."""
        native, pure = (
            module.Parser(
                message_bytes=LIMIT, max_fragments=max_fragments, binary=binary, deflate=deflate
            )
            for module in (native_websocket, pure_websocket)
        )
        for piece in pieces(stream, cuts):
            assert native.feed(piece) == pure.feed(piece)
            assert (native.failed, native.buffered) == (pure.failed, pure.buffered)
            assert native.under_way == pure.under_way

    def test_fails_at_the_same_byte_of_a_text(self, native_websocket: ModuleType) -> None:
        """Each pair of a leading byte and another one, byte by byte."""
        for pair in range(0xC0 << 8, 1 << 16):
            native, pure = (
                module.Parser(message_bytes=LIMIT) for module in (native_websocket, pure_websocket)
            )
            stream = encode(FIN | TEXT, pair.to_bytes(2, "big") + b"\x80\x80")
            for piece in (stream[:-3], stream[-3:-2], stream[-2:-1], stream[-1:]):
                assert native.feed(piece) == pure.feed(piece)
                assert native.failed == pure.failed

    @given(stream=STREAMS, cuts=CUTS, deflate=st.booleans())
    def test_means_the_same_cut_or_whole(
        self, websocket: ModuleType, stream: bytes, cuts: list[int], *, deflate: bool
    ) -> None:
        """The network's cuts are no part of the message."""
        whole = websocket.Parser(message_bytes=LIMIT, deflate=deflate)
        cut = websocket.Parser(message_bytes=LIMIT, deflate=deflate)
        events = [event for piece in pieces(stream, cuts) for event in cut.feed(piece)]
        assert (events, cut.failed, cut.buffered, cut.under_way) == (
            whole.feed(stream),
            whole.failed,
            whole.buffered,
            whole.under_way,
        )


class TestUtf8:
    @given(st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode)))
    def test_is_what_the_decoder_of_python_takes(self, websocket: ModuleType, data: bytes) -> None:
        """Two implementations of RFC 3629 agree on any bytes and on most of a text."""
        for candidate in (data, data[:-1], data[1:], b"0123456" + data):
            assert websocket.is_utf8(candidate) == _decodes(candidate)

    def test_agrees_on_every_start_of_a_character(self, websocket: ModuleType) -> None:
        """Each pair of bytes, completed by the least and the greatest continuation bytes."""
        for pair in range(1 << 16):
            start = pair.to_bytes(2, "big")
            for end in (b"", b"\x80", b"\xbf\x80", b"\xbf\xbf"):
                assert websocket.is_utf8(start + end) == _decodes(start + end)


class TestUnmask:
    @given(st.binary(max_size=70), st.binary(min_size=4, max_size=4))
    def test_is_the_xor_of_the_rfc_and_its_own_inverse(
        self, websocket: ModuleType, data: bytes, mask: bytes
    ) -> None:
        """RFC 6455 section 5.3: octet i with octet i MOD 4 of the key."""
        unmasked = websocket.unmask(data, mask)
        assert unmasked == bytes(octet ^ mask[i % 4] for i, octet in enumerate(data))
        assert websocket.unmask(unmasked, mask) == data

    def test_leaves_its_argument_alone(self, websocket: ModuleType) -> None:
        """Bytes are shared: single ones even by the whole process."""
        for data in (b"", b"a", b"ab", b"a" * 100):
            before = bytearray(data)
            websocket.unmask(data, b"\xff\xff\xff\xff")
            assert data == before
        assert bytes((97,)) == b"\x61"

    @pytest.mark.parametrize("mask", [b"", b"abc", b"abcde"])
    def test_refuses_a_key_that_is_not_of_four_octets(
        self, websocket: ModuleType, mask: bytes
    ) -> None:
        """A short key would be read past its end."""
        with pytest.raises(ValueError, match="masking key"):
            websocket.unmask(b"data", mask)


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
