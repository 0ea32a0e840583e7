"""What a request for a stream asks for, whoever read it: aiohttp or the door."""

from typing import NamedTuple

from aiohttp import web

from groundswell.contract.position import BadPosition, Position
from groundswell.contract.problems import Refused


class StreamRequest(NamedTuple):
    """Path, query and headers that matter to a stream; None: not sent.

    The headers stand in the order of `cext._request.parse_stream_request`.
    """

    video_id: str
    position: str | None  # of the query
    host: str | None = None
    upgrade: str | None = None
    connection: str | None = None
    version: str | None = None
    key: str | None = None
    protocols: str | None = None
    extensions: str | None = None
    accept: str | None = None
    authorization: str | None = None
    origin: str | None = None
    last_event_id: str | None = None
    forwarded_for: str | None = None
    request_id: str | None = None

    @classmethod
    def of(cls, request: web.Request) -> "StreamRequest":
        """Return what aiohttp read."""
        headers = request.headers
        return cls(
            video_id=request.match_info["videoID"],
            position=request.query.get("position"),
            host=headers.get("Host"),
            upgrade=headers.get("Upgrade"),
            connection=headers.get("Connection"),
            # RFC 6455 sections 11.3.1 and 11.3.5: both come once; two joined are refused, since a
            # proxy might have taken the other one.
            version=_joined(request, "Sec-WebSocket-Version"),
            key=_joined(request, "Sec-WebSocket-Key"),
            protocols=_joined(request, "Sec-WebSocket-Protocol"),
            extensions=_joined(request, "Sec-WebSocket-Extensions"),
            accept=headers.get("Accept"),
            authorization=headers.get("Authorization"),
            origin=headers.get("Origin"),
            last_event_id=headers.get("Last-Event-ID"),
            forwarded_for=_joined(request, "X-Forwarded-For"),
            request_id=headers.get("X-Request-Id"),
        )

    @property
    def wants_websocket(self) -> bool:
        """Whether it asks for an upgrade (RFC 6455 section 4.1)."""
        return self.upgrade is not None and self.upgrade.lower() == "websocket"

    @property
    def wants_sse(self) -> bool:
        """Whether it asks for server-sent events."""
        return self.accept is not None and "text/event-stream" in self.accept

    def token(self) -> str | None:
        """Return the Bearer token; raises `Refused` for other credentials."""
        if self.authorization is None:
            return None
        scheme, _, token = self.authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused("token_missing", "Authorization is not a Bearer token")
        return token

    def resume(self) -> Position | None:
        """Return where to go on; raises `Refused`."""
        # A reconnecting EventSource repeats the URL's old position and adds the newer header.
        text = self.last_event_id if self.last_event_id is not None else self.position
        if text is None:
            return None
        try:
            return Position.parse(text)
        except BadPosition as error:
            raise Refused("bad_position", str(error)) from error


def _joined(request: web.Request, name: str) -> str | None:
    """Join the lines of a list (RFC 9110 section 5.3)."""
    lines = request.headers.getall(name, None)
    return None if lines is None else ",".join(lines)
