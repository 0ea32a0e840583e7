"""The pure Python twin of `_frames.pyx`; also where its signatures and contracts are declared."""

from collections.abc import Sequence

from groundswell.cext.rfc6455 import (
    CLOSE,
    CONTROL_BYTES,
    FIN,
    LENGTH_16,
    LENGTH_64,
    PING,
    PONG,
    TEXT,
    is_close_code,
)


def update(
    position: bytes,
    comments: Sequence[bytes],
    events: Sequence[bytes] = (),
    tail: bytes = b"",
) -> bytes:
    """Return the JSON of an `update`; parts that are empty are absent.

    Args:
        position: as in the protocol, without quotes.
        comments: one JSON object each.
        events: one JSON object each.
        tail: further members with their leading comma, such as `,"viewers":3`.
    """
    parts = [b'{"type":"update","position":"', position, b'"']
    if comments:
        parts += (b',"comments":[', b",".join(comments), b"]")
    if events:
        parts += (b',"events":[', b",".join(events), b"]")
    parts += (tail, b"}")
    return b"".join(parts)


def with_reactions(public_json: bytes, counts_json: bytes) -> bytes:
    """Return the comment with `counts_json` as its last member, `reactions`.

    Raises:
        ValueError: `public_json` is not one compact JSON object, as far as its ends can tell.
    """
    if len(public_json) < 2 or public_json[:1] != b"{" or public_json[-1:] != b"}":
        raise ValueError(f"not a JSON object: {public_json[:40]!r}")
    comma = b"," if len(public_json) > 2 else b""
    return b'%b%b"reactions":%b}' % (public_json[:-1], comma, counts_json)


def websocket_text(payload: bytes) -> bytes:
    """Return a whole text message as one server frame (RFC 6455 sections 5.1 and 5.2: unmasked)."""
    size = len(payload)
    if size < LENGTH_16:
        head = bytes((FIN | TEXT, size))
    elif size < 1 << 16:
        head = bytes((FIN | TEXT, LENGTH_16)) + size.to_bytes(2, "big")
    else:
        head = bytes((FIN | TEXT, LENGTH_64)) + size.to_bytes(8, "big")
    return head + payload


def websocket_close(code: int, reason: bytes) -> bytes:
    """Return a close frame (RFC 6455 section 5.5.1); `reason` is UTF-8.

    Raises:
        ValueError: the code may not travel, or the reason is over 123 bytes.
    """
    if not is_close_code(code):
        raise ValueError(f"close code {code} may not be sent")
    return _control(CLOSE, code.to_bytes(2, "big") + reason)


def websocket_ping(payload: bytes) -> bytes:
    """Return a ping frame (RFC 6455 section 5.5.2); raises `ValueError` over 125 bytes."""
    return _control(PING, payload)


def websocket_pong(payload: bytes) -> bytes:
    """Return a pong frame (RFC 6455 section 5.5.3); raises `ValueError` over 125 bytes."""
    return _control(PONG, payload)


def sse_event(event: bytes, position: bytes, payload: bytes) -> bytes:
    """Return a server-sent event (HTML Living Standard section 9.2.6).

    Raises:
        ValueError: an argument has a line break, which would end its field.
    """
    for field in (event, position, payload):
        if b"\n" in field or b"\r" in field:
            raise ValueError(f"line break in a field of an event: {field[:40]!r}")
    return b"event: %b\nid: %b\ndata: %b\n\n" % (event, position, payload)


def _control(opcode: int, payload: bytes) -> bytes:
    if len(payload) > CONTROL_BYTES:
        raise ValueError(f"control frame of {len(payload)} bytes, at most {CONTROL_BYTES}")
    return bytes((FIN | opcode, len(payload))) + payload
