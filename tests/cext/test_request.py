"""The reader of stream requests: what it accepts means the same to aiohttp."""

from typing import Any

import pytest
from aiohttp.http_parser import HttpRequestParser
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDictProxy
from yarl import URL

request_module = pytest.importorskip(
    "groundswell.cext._request", reason="the native modules are not built here"
)
parse = request_module.parse_stream_request

NAMES = (
    "Host",
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Accept",
    "Authorization",
    "Origin",
    "Last-Event-ID",
    "X-Forwarded-For",
    "X-Request-Id",
)
HEADERS = {
    "Host": "live.example:8080",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0)",
    "Origin": "https://live.example",
}


def write(
    path: str = "/live/v1/comments/stream",
    headers: dict[str, str] | None = None,
    *,
    method: str = "GET",
    version: str = "HTTP/1.1",
) -> bytes:
    """Write a request."""
    lines = [f"{name}: {value}" for name, value in (headers or HEADERS).items()]
    return "\r\n".join([f"{method} {path} {version}", *lines, "", ""]).encode("latin-1")


def test_a_browsers_request_is_read() -> None:
    """Every header that matters, in order; the others are stepped over."""
    video, position, leftover, fields = parse(write() + b"rest")
    assert (video, position, leftover) == ("v1", None, b"rest")
    assert fields == tuple(HEADERS.get(name) for name in NAMES)


@pytest.mark.parametrize("colon", [":", "%3A", "%3a"])
def test_a_position_may_be_quoted(colon: str) -> None:
    """URLSearchParams quotes the colon."""
    _, position, _, _ = parse(write(f"/live/v1/comments/stream?position=00ff{colon}12"))
    assert position == "00ff:12"


def test_names_of_headers_have_no_case_and_values_no_spaces_around() -> None:
    """RFC 9110 sections 5.1 and 5.5."""
    _, _, _, fields = parse(
        write(headers={"HOST": "  a \t", "upGrade": "x  y", "x-request-ID": ""})
    )
    assert fields == ("a", "x  y", *[None] * 10, "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        write()[:-1],
        b" " + write(),
        b"\r\n" + write(),
        write(method="POST"),
        write(method="GET "),
        write(version="HTTP/1.0"),
        write(version="HTTP/2"),
        write("/live//comments/stream"),
        write("/live/v%31/comments/stream"),
        write("/live/v1/comments/stream/"),
        write("/live/v1/comments/stream?"),
        write("/live/v1/comments/stream#x"),
        write("/live/v1/comments/stream?position=1&x=2"),
        write("/live/v1/comments/stream?position=%31"),
        write("/live/v1/comments/stream?position=1%3"),
        write("//live/v1/comments/stream"),
        write("http://x/live/v1/comments/stream"),
        write(headers={**HEADERS, "Content-Length": "0"}),
        write(headers={**HEADERS, "Transfer-Encoding": "chunked"}),
        write(headers={**HEADERS, "Expect": "100-continue"}),
        write(headers={**HEADERS, "HOST": "twice"}),
        write(headers={**HEADERS, "Bad Name": "x"}),
        write(headers={**HEADERS, "": "x"}),
        write(headers={**HEADERS, " Folded": "x"}),
        write(headers={**HEADERS, "Origin": "h\u00e4"}),
        write(headers={**HEADERS, "X": "a\0b"}),
        write(headers={**HEADERS, "X": "a\rb"}),
        write(headers={**HEADERS, "X": "a\nb"}),
        write(headers={f"X-{n}": "x" for n in range(65)}),
        write(headers={"X": "x" * 8190}),
        write().replace(b"\r\n", b"\n"),
    ],
)
def test_what_is_unusual_is_left_to_aiohttp(data: bytes) -> None:
    """One judge of what HTTP is; this one only knows what it knows."""
    assert parse(data) is None


tokens = st.text("abcXYZ019-_", min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=9, max_codepoint=255), max_size=20)
headers = st.dictionaries(st.sampled_from(NAMES) | tokens, values, max_size=8)
paths = st.one_of(
    st.just("/live/v1/comments/stream"),
    st.builds("/live/{}/comments/stream?position={}".format, tokens, tokens),
    st.text("/live?position=%3A.~#& ", max_size=40),
)


@given(paths, headers, st.binary(max_size=20))
def test_what_is_accepted_means_the_same_to_aiohttp(
    path: str, sent: dict[str, str], rest: bytes
) -> None:
    """Same video, same position, same values of all headers that matter."""
    data = write(path, {"Host": "x", **sent}) + rest
    parsed = parse(data)
    if parsed is None:
        return
    video, position, leftover, fields = parsed
    url, known = read_by_aiohttp(data[: len(data) - len(leftover)])
    assert url.path == f"/live/{video}/comments/stream"
    assert url.query.get("position") == position
    assert tuple(known.get(name) for name in NAMES) == fields


@given(st.integers(0, 400), st.integers(0, 255))
def test_any_changed_byte_is_refused_or_means_the_same_to_aiohttp(at: int, byte: int) -> None:
    """Nothing is accepted that aiohttp refuses."""
    data = bytearray(write())
    data[at % len(data)] = byte
    parsed = parse(bytes(data))
    if parsed is None:
        return
    url, known = read_by_aiohttp(bytes(data))
    assert url.path == f"/live/{parsed[0]}/comments/stream"
    assert tuple(known.get(name) for name in NAMES) == parsed[3]


def read_by_aiohttp(head: bytes) -> tuple[URL, CIMultiDictProxy[str]]:
    """Return URL and headers as aiohttp's own parser reads them."""
    protocol: Any = type("Protocol", (), {"_reading_paused": False})()
    parser = HttpRequestParser(protocol, None, 2**16, max_line_size=8190, max_field_size=8190)  # type: ignore[arg-type]
    messages, _, _ = parser.feed_data(head)
    [(message, _)] = messages
    assert message.method == "GET"
    assert message.version == (1, 1)
    return message.url, message.headers
