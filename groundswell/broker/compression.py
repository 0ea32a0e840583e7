"""permessage-deflate (RFC 7692), with which one deflated frame serves all viewers who asked for it.

Neither side keeps its window from one message to the next (section 7.1.1): so a frame does not
depend on what a viewer was sent before, and a viewer costs no memory between messages. What all
share has one window, too, small enough for the clients that name one.
"""

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from groundswell.cext import frames as encoder
from groundswell.cext.rfc6455 import INVALID_DATA, PROTOCOL_ERROR, RSV1, TOO_BIG
from groundswell.cext.websocket import is_utf8

# log2 of bytes: 4 KiB. Small enough for clients that save memory, who ask for 12 or more; browsers
# ask for nothing. It costs 2 % of a frame with 50 comments and 10 % of one with 100, beside 15.
WINDOW_BITS: Final = 12
WINDOW_BITS_MAX: Final = 15
LEVEL: Final = 6  # half the time of 9, and 1 to 2 % more bytes
LEAST_BYTES: Final = 128  # ids and numbers alone have nothing to gain

_NAME: Final = "permessage-deflate"
_ANSWER: Final = f"{_NAME}; server_no_context_takeover; client_no_context_takeover"
_BITS: Final = {str(bits): bits for bits in range(8, 16)}  # section 7.1.2: no leading zeros
_FLUSH: Final = b"\x00\x00\xff\xff"  # section 7.2.1: ends every flush, and does not travel
_FINAL: Final = b"\x03\x00"  # an empty last block: read only where the data before it was whole

# RFC 6455 section 9.1, with the tokens of RFC 9110 section 5.6.2. Possessive, so that no header
# takes longer to read than it is long.
_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_LEXEME = re.compile(rf'[ \t]*+(?:([,;=])|({_WORD})|"((?:[^"\\]|\\.)*+)")')
_VALUE = re.compile(_WORD)


class BadMessage(Exception):
    """A client's message must end its connection, with this code of RFC 6455 section 7.4.1."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code: Final = code


def negotiate(values: Iterable[str]) -> str | None:
    """Return the answer to the values of `Sec-WebSocket-Extensions`; None: no compression.

    The first offer that can be taken is (RFC 7692 section 5). One with a parameter that is
    unknown, doubled or of another form is declined (section 7.1), as is one for less than our
    window; a header that is not of the grammar offers nothing.
    """
    offers = _offers(",".join(values))
    return next((answer for offer in offers if (answer := _answer(offer)) is not None), None)


def _offers(header: str) -> list[dict[str, str | None]]:
    """Return the parameters of each offer of ours; without those that name one twice."""
    offers = []
    for element in _split(_lexemes(header), ","):
        name, *parameters = _split(element, ";")
        if any(len(parameter) != 1 and parameter[1:-1] != ["="] for parameter in parameters):
            return []
        # The value of a parameter without one is None, which no parameter that needs one takes.
        named = {key: value[-1] if value else None for key, *value in parameters}
        if name == [_NAME] and len(named) == len(parameters):
            offers.append(named)
    return offers


def _lexemes(header: str) -> list[str]:
    """Return separators and tokens, unquoted; nothing where something is neither."""
    lexemes = []
    at, end = 0, len(header.rstrip(" \t"))
    while at < end:
        found = _LEXEME.match(header, at, end)
        if found is None:
            return []
        separator, token, quoted = found.groups()
        if quoted is not None:
            token = re.sub(r"\\(.)", r"\1", quoted)
            if not _VALUE.fullmatch(token):
                return []
        lexemes.append(separator or token)
        at = found.end()
    return lexemes


def _split(items: Sequence[str], separator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for item in items:
        if item == separator:
            parts.append([])
        else:
            parts[-1].append(item)
    return parts


def _answer(offer: Mapping[str, str | None]) -> str | None:
    answer = _ANSWER
    for name, value in offer.items():
        match name:
            case "server_no_context_takeover" | "client_no_context_takeover" if value is None:
                pass  # we ask for both anyway
            case "client_max_window_bits" if value is None or value in _BITS:
                pass  # what a client deflates is inflated with the greatest window
            case "server_max_window_bits" if _BITS.get(value or "", 0) >= WINDOW_BITS:
                answer += f"; {name}={value}"  # section 7.1.2.1: the same or less
            case _:
                return None
    return answer


def deflated_frame(payload: bytes) -> bytes | None:
    """Return a whole text message as one deflated server frame; None: it would not be smaller."""
    if len(payload) < LEAST_BYTES:
        return None
    deflater = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW_BITS)
    body = deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH)
    body = body.removesuffix(_FLUSH)
    if len(body) >= len(payload):
        return None
    frame = encoder.websocket_text(body)
    return bytes((frame[0] | RSV1,)) + frame[1:]


def inflated_text(payload: bytes, *, limit: int) -> bytes:
    """Return the text of a client's deflated message; holds no more than `limit` bytes of it.

    Raises:
        BadMessage: 1009 over the limit, 1002 not deflated data, 1007 not UTF-8.
    """
    inflater = zlib.decompressobj(-WINDOW_BITS_MAX)
    try:
        text = inflater.decompress(payload + _FLUSH + _FINAL, limit + 1)
    except zlib.error as error:
        raise BadMessage(PROTOCOL_ERROR) from error
    if len(text) > limit:
        raise BadMessage(TOO_BIG)
    # Section 7.2.3.4: a client may have ended its data itself, with an empty block behind it.
    if not inflater.eof or inflater.unused_data not in (b"", b"\x00" + _FLUSH + _FINAL):
        raise BadMessage(PROTOCOL_ERROR)
    if not is_utf8(text):
        raise BadMessage(INVALID_DATA)
    return text
