"""How a stream starts: `GET /live/{videoID}/comments/stream`, upgraded or as SSE.

There are two ways in. The door of the native plane brings sockets with the first bytes of clients:
a stream request that nothing is wrong with becomes a stream there and then. Everything else, and
everything on the asyncio plane, is read by aiohttp; then the connection is taken from it. So a
viewer costs no aiohttp object and no task, and a refusal has one place where it is told.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_protocol import RequestHandler

from groundswell.broker.compression import negotiate
from groundswell.broker.plane import Handle, OwnedPlane, Variant
from groundswell.broker.session import Session, Sessions
from groundswell.broker.stream_request import StreamRequest
from groundswell.contract.claims import Claims
from groundswell.contract.origins import Origins
from groundswell.contract.ports.uplink import Origin, Uplink
from groundswell.contract.position import Position
from groundswell.contract.problems import Refused
from groundswell.contract.settings import StreamSettings

SUBPROTOCOL = "groundswell.v1"
_ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    b"X-Accel-Buffering: no\r\nConnection: close\r\n%b\r\n"
)


@dataclass(frozen=True, slots=True)
class Opening:
    """A stream that may begin: how it is read, the head of the answer, and what is known of it."""

    variant: Variant
    head: bytes
    claims: Claims | None
    resume: Position | None
    auth_within: float | None  # seconds
    deflate: bool  # permessage-deflate is negotiated


class Handshake:
    """Answers stream requests."""

    def __init__(
        self,
        *,
        plane: OwnedPlane,
        sessions: Sessions,
        uplink: Uplink,
        settings: StreamSettings,
        auth_required: bool,
        origins: Origins,
        origin_of: Callable[[web.Request], Origin],
    ) -> None:
        self._plane = plane
        self._sessions = sessions
        self._uplink = uplink
        self._settings = settings
        self._auth_required = auth_required
        self._origins = origins
        self._origin_of = origin_of
        self.draining = False

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Handle the route; raises `Refused` for what does not become a stream."""
        asked = StreamRequest.of(request)
        if asked.wants_websocket and request.version < HttpVersion11:
            raise Refused("bad_request", "an upgrade needs HTTP/1.1")
        if not self._origins.allows(asked.origin, host=asked.host):
            raise Refused("origin_refused")
        await self._uplink.require_video(asked.video_id)
        # No await from here on: a stream that begins after the drain began would be told nothing.
        opening = self.open(asked)
        begin = self.beginning(asked.video_id, opening, self._origin_of(request))
        transport, leftover = _take_over(request)
        self._plane.adopt(
            transport,
            variant=opening.variant,
            head=opening.head,
            leftover=leftover,
            auth_within=opening.auth_within,
            deflate=opening.deflate,
            begin=begin,
        )
        return _TakenOver()

    def open(self, asked: StreamRequest) -> Opening:
        """Return how to begin a stream of a video that exists; raises `Refused`."""
        if self.draining:
            raise Refused("draining")
        if not self._origins.allows(asked.origin, host=asked.host):
            raise Refused("origin_refused")
        token = asked.token()
        claims = None if token is None else self._uplink.authenticate(token, asked.video_id)
        extension = None
        if asked.wants_websocket:
            if self._settings.compression and asked.extensions is not None:
                extension = negotiate([asked.extensions])
            variant, head = Variant.WEBSOCKET, _upgrade_head(asked, extension)
        elif asked.wants_sse:
            if claims is None and self._auth_required:
                raise Refused("token_missing")
            variant, head = Variant.SSE, _sse_head(asked.origin)
        else:
            raise Refused("upgrade_required", "or ask for SSE with Accept: text/event-stream")
        waits = claims is None and self._auth_required
        within = self._settings.auth_timeout if waits else None
        return Opening(variant, head, claims, asked.resume(), within, extension is not None)

    def beginning(
        self, video_id: str, opening: Opening, origin: Origin
    ) -> Callable[[Handle], None]:
        """Return what makes a session of an adopted connection."""
        session = Session(
            video_id=video_id, origin=origin, claims=opening.claims, resume=opening.resume
        )
        return lambda handle: self._sessions.begin(handle, session)


def _upgrade_head(asked: StreamRequest, extension: str | None) -> bytes:
    """Return the 101 of RFC 6455 section 4.2.2, after the checks of 4.2.1."""
    if "upgrade" not in (asked.connection or "").lower():
        raise Refused("bad_request", "Connection is not Upgrade")
    if asked.version != "13":
        raise Refused("bad_request", "Sec-WebSocket-Version is not 13")
    key = asked.key or ""
    try:
        valid = len(base64.b64decode(key, validate=True)) == 16
    except ValueError:  # also of characters that are not ASCII
        valid = False
    if not valid:
        raise Refused("bad_request", "Sec-WebSocket-Key is not 16 bytes in base64")
    chosen = b""
    if asked.protocols is not None:
        if SUBPROTOCOL not in [name.strip() for name in asked.protocols.split(",")]:
            raise Refused("bad_subprotocol", f"offer {SUBPROTOCOL}")
        chosen = b"Sec-WebSocket-Protocol: %b\r\n" % SUBPROTOCOL.encode()
    accept = base64.b64encode(
        hashlib.sha1(key.encode() + _ACCEPT_GUID, usedforsecurity=False).digest()
    )
    if extension is not None:
        chosen += b"Sec-WebSocket-Extensions: %b\r\n" % extension.encode()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n%b\r\n"
    ) % (accept, chosen)


def _sse_head(origin: str | None) -> bytes:
    # Its origin was allowed, so its page may read the answer.
    allowed = b""
    if origin is not None:
        # aiohttp reads header bytes as UTF-8 with surrogates: this gives them back as they came.
        echoed = origin.encode("utf-8", "surrogateescape")
        allowed = b"Access-Control-Allow-Origin: %b\r\nVary: Origin\r\n" % echoed
    return _SSE_HEAD % allowed


def _take_over(request: web.Request) -> tuple[asyncio.Transport, bytes]:
    """Take a request's transport from aiohttp, with what was read behind the request."""
    handler: RequestHandler = request.protocol
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("client has gone")
    # `_message_tail` is private to aiohttp and pinned by tests/broker/test_handshake.py: there is
    # no public way to get at bytes that a client sent right behind its upgrade request.
    leftover: bytes = handler._message_tail
    transport.pause_reading()
    handler.transport = None  # so that forgetting the connection does not close it
    handler.connection_lost(None)
    return transport, leftover


class _TakenOver(web.StreamResponse):
    """What aiohttp is told: there is nothing left to send."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None
