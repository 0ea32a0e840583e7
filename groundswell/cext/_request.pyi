"""The head of a stream request, read without aiohttp."""

def parse_stream_request(
    data: bytes,
) -> tuple[str, str | None, bytes, tuple[str | None, ...]] | None:
    """Read `GET /live/<video>/comments/stream[?position=<position>] HTTP/1.1` with its headers.

    Returns the video, the position of the query (None: no query), what follows the head, and the
    values of Host, Upgrade, Connection, Sec-WebSocket-Version, -Key, -Protocol, -Extensions,
    Accept, Authorization, Origin, Last-Event-ID, X-Forwarded-For and X-Request-Id, in this order
    (None: not sent).

    Returns None for everything else: another request, a head that is not complete, a body, a
    header of these sent twice, or any byte that aiohttp might read in another way.
    """
