"""Negotiation, deflate and inflate as functions, against the RFC's examples and another library."""

import time
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
)
from websockets.frames import Frame, Opcode
from websockets.headers import build_extension, parse_extension

from groundswell.broker.compression import (
    LEAST_BYTES,
    BadMessage,
    deflated_frame,
    inflated_text,
    negotiate,
)

OURS = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
LIMIT = 16 * 1024
HELLO = bytes.fromhex("f248cdc9c90700")  # RFC 7692 section 7.2.3.1


def deflate(text: bytes, *, level: int = 6, bits: int = 15, flush: bytes = b"") -> bytes:
    """Deflate a message as a client does (RFC 7692 section 7.2.1)."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -bits)
    data = deflater.compress(text) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return data.removesuffix(b"\x00\x00\xff\xff") + flush


class TestNegotiate:
    @pytest.mark.parametrize(
        ("values", "answer"),
        [
            pytest.param([], None, id="nothing is offered"),
            pytest.param([""], None, id="an empty header"),
            pytest.param(["permessage-deflate"], OURS, id="Firefox and Safari"),
            pytest.param(["permessage-deflate; client_max_window_bits"], OURS, id="Chrome"),
            pytest.param(
                ["permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"],
                f"{OURS}; server_max_window_bits=12",
                id="who saves memory",
            ),
            pytest.param([OURS], OURS, id="who knows what we want"),
            pytest.param(
                ["permessage-deflate;server_max_window_bits=15"],
                f"{OURS}; server_max_window_bits=15",
                id="a greater window than ours",
            ),
            pytest.param(
                ['permessage-deflate; server_max_window_bits="1\\4"'],
                f"{OURS}; server_max_window_bits=14",
                id="a quoted value",
            ),
            pytest.param(
                ["permessage-deflate; server_max_window_bits=11"], None, id="a smaller window"
            ),
            pytest.param(
                ["permessage-deflate; server_max_window_bits=8, permessage-deflate"],
                OURS,
                id="the second offer can be taken",
            ),
            pytest.param(
                ["permessage-deflate; server_max_window_bits=13, permessage-deflate"],
                f"{OURS}; server_max_window_bits=13",
                id="the first that can be taken is",
            ),
            pytest.param(
                ["permessage-foo; a=1; b, x-webkit-deflate-frame", ", permessage-deflate,"],
                OURS,
                id="among others and over two headers",
            ),
            pytest.param(
                ['other; text="a, permessage-deflate"'], None, id="within a quoted value of another"
            ),
        ],
    )
    def test_takes_the_first_offer_that_can_be_taken(self, values, answer):
        """RFC 7692 section 5; both sides are told to forget their windows."""
        assert negotiate(values) == answer

    @pytest.mark.parametrize(
        "parameters",
        [
            "unknown",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "server_no_context_takeover; server_no_context_takeover",
            "client_max_window_bits; client_max_window_bits=10",
            "client_max_window_bits=7",
            "client_max_window_bits=16",
            "client_max_window_bits=012",
            "client_max_window_bits=0x0f",
            "client_max_window_bits=-12",
            "server_max_window_bits",
            "server_max_window_bits=",
            'server_max_window_bits=""',
            'server_max_window_bits="1 5"',
            'server_max_window_bits="15',
            "server_max_window_bits=15=15",
            "server_max_window_bits==",
            "server_max_window_bits=16",
            "server_max_window_bits=015",
            "server_max_window_bits=15; server_max_window_bits=15",
            "server_max_window_bits=１５",  # noqa: RUF001 digits, but not of ASCII
            "",
            ";",
            "=",
            "\x00",
            "(",
        ],
    )
    def test_declines_what_is_not_of_the_standard(self, parameters):
        """RFC 7692 section 7.1: unknown, doubled, or of another form."""
        assert negotiate([f"permessage-deflate; {parameters}"]) is None

    @given(
        server_off=st.booleans(),
        client_off=st.booleans(),
        server_bits=st.none() | st.integers(9, 15),
        client_bits=st.none() | st.just(value=True) | st.integers(9, 15),  # as the library can
    )
    def test_agrees_with_another_library(self, server_off, client_off, server_bits, client_bits):
        """It takes our answer to any of its offers, and then inflates what we deflate."""
        client = ClientPerMessageDeflateFactory(server_off, client_off, server_bits, client_bits)
        offer = build_extension([("permessage-deflate", client.get_request_params())])
        answer = negotiate([offer])
        assert (answer is None) == (server_bits is not None and server_bits < 12)
        if answer is not None:
            ((_, parameters),) = parse_extension(answer)
            extension = client.process_response_params(parameters, [])
            assert extension.remote_no_context_takeover
            assert extension.local_no_context_takeover
            assert extension.remote_max_window_bits >= 12
            payload = b"".join(b"comment %d of many, " % number for number in range(1000))
            assert inflated_by(extension, deflated_frame(payload)) == payload

    @given(
        st.lists(
            st.text(max_size=60)
            | st.lists(
                st.sampled_from(["permessage-deflate", *OURS.split("; "), *',;="\\ \t', "15"]),
                max_size=30,
            ).map("".join)
        )
    )
    def test_answers_or_declines_any_header(self, values):
        """Nothing is raised; nothing but our own words goes into the answer."""
        answer = negotiate(values)
        assert answer is None or answer.removeprefix(OURS) in {
            "",
            *(f"; server_max_window_bits={bits}" for bits in range(12, 16)),
        }

    @pytest.mark.parametrize("part", ["; a ", ";a;", " ", "\t", '"', '"\\', ", ", "a", "=", ";"])
    def test_reads_any_header_in_time_that_is_in_proportion(self, part):
        """A pattern that tries again and again would take minutes for this."""
        began = time.process_time()
        for end in ("", "(", "\x00"):
            negotiate(["permessage-deflate" + part * 30_000 + end])
        assert time.process_time() - began < 5


def as_answered() -> PerMessageDeflate:
    """The other library's end where our answer named the least window that we take."""
    return PerMessageDeflate(
        remote_no_context_takeover=True,
        local_no_context_takeover=True,
        remote_max_window_bits=12,
        local_max_window_bits=15,
    )


def inflated_by(extension: PerMessageDeflate, frame: bytes) -> bytes:
    """Return what the websockets library makes of a whole server frame."""
    size, head = frame[1], 2
    if size >= 126:
        head = 4 if size == 126 else 10
        size = int.from_bytes(frame[2:head], "big")
    assert frame[0] == 0xC1, "FIN, RSV1 and text"
    assert len(frame) == head + size
    return extension.decode(Frame(Opcode.TEXT, frame[head:], rsv1=True)).data


class TestDeflatedFrame:
    @given(st.text(min_size=LEAST_BYTES).map(str.encode), st.integers(1, 300))
    def test_is_inflated_by_another_library_with_the_window_of_the_answer(self, text, times):
        """Without what came before: the same inflater takes it again."""
        payload = text * times
        frame = deflated_frame(payload)
        if frame is not None:
            extension = as_answered()
            assert inflated_by(extension, frame) == payload
            assert inflated_by(as_answered(), frame) == payload
            assert len(frame) < len(payload) + 10

    @pytest.mark.parametrize("size", [LEAST_BYTES, 600, 70_000, 5_000_000])
    def test_is_smaller_with_every_form_of_length(self, size):
        """RFC 6455 section 5.2: 7, 16 and 64 bits, of the deflated payload."""
        payload = (b"%d," % size * size)[:size]
        frame = deflated_frame(payload)
        assert len(frame) < size / 3
        assert inflated_by(as_answered(), frame) == payload

    def test_is_none_where_it_would_not_be_smaller(self):
        """Numbers without a pattern, or nearly nothing at all."""
        assert deflated_frame(b"x" * (LEAST_BYTES - 1)) is None
        assert deflated_frame(b"") is None
        assert deflated_frame(zlib.compress(bytes(range(256)) * 4)[:200]) is None


class TestInflatedText:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param("f248cdc9c90700", id="7.2.3.1 one block"),
            pytest.param("000500faff48656c6c6f00", id="7.2.3.3 a block without compression"),
            pytest.param("f348cdc9c9070000", id="7.2.3.4 a last block"),
            pytest.param("f24805000000ffffcac9c90700", id="7.2.3.5 two blocks"),
        ],
    )
    def test_is_hello_in_the_examples_of_the_rfc(self, data):
        """RFC 7692 section 7.2.3."""
        assert inflated_text(bytes.fromhex(data), limit=5) == b"Hello"

    def test_may_be_empty(self):
        """RFC 7692 section 7.2.3.6: one octet of 0."""
        assert inflated_text(b"\x00", limit=5) == b""

    @given(st.text().map(str.encode), st.integers(0, 9), st.integers(9, 15))
    def test_is_what_a_client_deflated_at_any_level_and_window(self, text, level, bits):
        """And is refused, by one byte over the limit."""
        data = deflate(text, level=level, bits=bits)
        assert inflated_text(data, limit=max(1, len(text))) == text
        if len(text) > 1:
            assert code_of(data, limit=len(text) - 1) == 1009

    @given(st.binary())
    @example(b"")
    @example(b"\x03\x00")
    def test_is_text_or_a_documented_code_of_any_bytes(self, data):
        """Nothing else is raised, and nothing over the limit is returned."""
        text, code = b"", 0
        try:
            text = inflated_text(data, limit=100)
        except BadMessage as error:
            code = error.code
        assert code in (0, 1002, 1007, 1009)
        assert len(text) <= 100
        text.decode()

    @given(st.text(min_size=1).map(str.encode), st.data())
    def test_is_not_half_of_a_message(self, text, draw):
        """Data that ends within a block is no message (RFC 7692 section 7.2.2)."""
        data = deflate(text)
        cut = data[: draw.draw(st.integers(0, len(data) - 1))]
        if cut == EMPTY:  # the first byte of what deflate could not make smaller
            assert inflated_text(cut, limit=LIMIT) == b""
        else:
            assert code_of(cut) in (1002, 1007)

    @pytest.mark.parametrize(
        ("code", "data"),
        [
            pytest.param(1002, b"\xff\xff\xff", id="no such block"),
            pytest.param(1002, HELLO + b"\x07", id="no such block behind a good one"),
            pytest.param(1002, bytes.fromhex("f348cdc9c90700") + HELLO, id="more behind the last"),
            pytest.param(1002, b"\x03\x00" * 5000, id="thousands of last blocks"),
            pytest.param(1007, deflate(b"\xff"), id="not UTF-8"),
            pytest.param(1007, deflate("ü".encode()[:1]), id="half a character"),
            pytest.param(1009, deflate(b"x" * (LIMIT + 1)), id="a byte too much"),
            pytest.param(1009, deflate(b"\xff" * (LIMIT + 1)), id="whatever it is"),
        ],
    )
    def test_that_is_none_ends_in_its_code(self, code, data):
        """RFC 6455 section 7.4.1."""
        assert code_of(data) == code


EMPTY = b"\x00"  # section 7.2.3.6: a block without data, which says the empty text


def code_of(data: bytes, *, limit: int = LIMIT) -> int:
    with pytest.raises(BadMessage) as failure:
        inflated_text(data, limit=limit)
    return failure.value.code
