"""How a stream starts: `GET /live/{videoID}/comments/stream`, upgraded or as SSE.

aiohttp reads the request; then its connection is taken from it: the plane becomes the protocol of
the transport, and aiohttp forgets it. So a viewer costs no aiohttp object and no task.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_protocol import RequestHandler

from groundswell.broker.compression import negotiate
from groundswell.broker.plane import OwnedPlane, Variant
from groundswell.broker.session import Session, Sessions
from groundswell.contract.claims import Claims
from groundswell.contract.ports.uplink import Origin, Uplink
from groundswell.contract.position import BadPosition, Position
from groundswell.contract.problems import Refused
from groundswell.contract.settings import StreamSettings

SUBPROTOCOL = "groundswell.v1"
_ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    b"X-Accel-Buffering: no\r\nConnection: close\r\n%b\r\n"
)


class Handshake:
    """Answers stream requests; raises `Refused` for those that do not become streams."""

    def __init__(
        self,
        *,
        plane: OwnedPlane,
        sessions: Sessions,
        uplink: Uplink,
        settings: StreamSettings,
        auth_required: bool,
        allows_origin: Callable[[web.Request], bool],
        origin_of: Callable[[web.Request], Origin],
    ) -> None:
        self._plane = plane
        self._sessions = sessions
        self._uplink = uplink
        self._settings = settings
        self._auth_required = auth_required
        self._allows_origin = allows_origin
        self._origin_of = origin_of
        self.draining = False

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Handle the route."""
        if not self._allows_origin(request):
            raise Refused("origin_refused")
        video_id = request.match_info["videoID"]
        await self._uplink.require_video(video_id)
        # No await from here on: a stream that begins after the drain began would be told nothing.
        if self.draining:
            raise Refused("draining")
        claims = self._claims(request, video_id)
        extension = None
        if request.headers.get("Upgrade", "").lower() == "websocket":
            if self._settings.compression:
                extension = negotiate(request.headers.getall("Sec-WebSocket-Extensions", ()))
            variant, head = Variant.WEBSOCKET, _upgrade_head(request, extension)
        elif "text/event-stream" in request.headers.get("Accept", ""):
            if claims is None and self._auth_required:
                raise Refused("token_missing")
            variant, head = Variant.SSE, _sse_head(request)
        else:
            raise Refused("upgrade_required", "or ask for SSE with Accept: text/event-stream")
        session = Session(
            video_id=video_id,
            origin=self._origin_of(request),
            claims=claims,
            resume=_resume_position(request),
        )
        transport, leftover = _take_over(request)
        waits = claims is None and self._auth_required
        self._plane.adopt(
            transport,
            variant=variant,
            head=head,
            leftover=leftover,
            auth_within=self._settings.auth_timeout if waits else None,
            deflate=extension is not None,
            begin=lambda handle: self._sessions.begin(handle, session),
        )
        return _TakenOver()

    def _claims(self, request: web.Request, video_id: str) -> Claims | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused("token_missing", "Authorization is not a Bearer token")
        return self._uplink.authenticate(token, video_id)


def _upgrade_head(request: web.Request, extension: str | None) -> bytes:
    """Return the 101 of RFC 6455 section 4.2.2, after the checks of 4.2.1."""
    headers = request.headers
    if "upgrade" not in headers.get("Connection", "").lower():
        raise Refused("bad_request", "Connection is not Upgrade")
    if headers.get("Sec-WebSocket-Version") != "13":
        raise Refused("bad_request", "Sec-WebSocket-Version is not 13")
    key = headers.get("Sec-WebSocket-Key", "")
    try:
        valid = len(base64.b64decode(key, validate=True)) == 16
    except ValueError:  # also of characters that are not ASCII
        valid = False
    if not valid:
        raise Refused("bad_request", "Sec-WebSocket-Key is not 16 bytes in base64")
    offered = [
        name.strip()
        for line in headers.getall("Sec-WebSocket-Protocol", [])
        for name in line.split(",")
    ]
    if offered and SUBPROTOCOL not in offered:
        raise Refused("bad_subprotocol", f"offer {SUBPROTOCOL}")
    accept = base64.b64encode(
        hashlib.sha1(key.encode() + _ACCEPT_GUID, usedforsecurity=False).digest()
    )
    chosen = b"Sec-WebSocket-Protocol: %b\r\n" % SUBPROTOCOL.encode() if offered else b""
    if extension is not None:
        chosen += b"Sec-WebSocket-Extensions: %b\r\n" % extension.encode()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n%b\r\n"
    ) % (accept, chosen)


def _sse_head(request: web.Request) -> bytes:
    # Its origin was allowed, so its page may read the answer.
    origin = request.headers.get("Origin")
    allowed = b""
    if origin is not None:
        # aiohttp reads header bytes as UTF-8 with surrogates: this gives them back as they came.
        echoed = origin.encode("utf-8", "surrogateescape")
        allowed = b"Access-Control-Allow-Origin: %b\r\nVary: Origin\r\n" % echoed
    return _SSE_HEAD % allowed


def _resume_position(request: web.Request) -> Position | None:
    # A reconnecting EventSource repeats the URL's old position and adds the newer header.
    text = request.headers.get("Last-Event-ID") or request.query.get("position")
    if text is None:
        return None
    try:
        return Position.parse(text)
    except BadPosition as error:
        raise Refused("bad_position", str(error)) from error


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
