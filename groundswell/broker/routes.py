"""HTTP routes of the live path: reads and streams. What they answer is in `docs/protocol.md`."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

from aiohttp import web

from groundswell.broker.handshake import Handshake
from groundswell.broker.reads import Reads, Wanted
from groundswell.contract.clock import rfc3339
from groundswell.contract.ids import CommentIds
from groundswell.contract.ports.log import Log, Topic
from groundswell.contract.ports.uplink import Uplink
from groundswell.contract.position import BadPosition, Position
from groundswell.contract.problems import Refused

LIMIT_DEFAULT = 50
LIMIT_MAX = 500
SLACK_MS = 5_000  # ids are given out by clocks that differ: `since` starts reading so much earlier
PARAMETERS = frozenset({"since", "limit", "from"})


def routes(
    *,
    handshake: Handshake,
    reads: Reads,
    log: Log,
    uplink: Uplink,
    ids: CommentIds,
    auth_required: bool,
) -> list[web.RouteDef]:
    """Return the read routes. Handlers raise `Refused`; a middleware makes that a problem."""
    handlers = _Handlers(reads=reads, log=log, uplink=uplink, ids=ids, auth_required=auth_required)
    comments = "/live/{videoID}/comments"
    return [
        web.get(comments, handlers.get_comments, allow_head=False),
        web.get(comments + "/stream", handshake.stream, allow_head=False),
        web.get(comments + "/{commentID}/replies", handlers.get_replies, allow_head=False),
    ]


class _Handlers:
    def __init__(
        self, *, reads: Reads, log: Log, uplink: Uplink, ids: CommentIds, auth_required: bool
    ) -> None:
        self._reads = reads
        self._log = log
        self._uplink = uplink
        self._ids = ids
        self._auth_required = auth_required

    async def get_comments(self, request: web.Request) -> web.Response:
        """Answer a page of a video's comments."""
        return await self._answer(request, parent_id=None)

    async def get_replies(self, request: web.Request) -> web.Response:
        """Answer a page of one thread."""
        parent_id = request.match_info["commentID"]
        if not self._ids.issued(request.match_info["videoID"], parent_id):
            raise Refused("no_such_comment")
        return await self._answer(request, parent_id=parent_id)

    async def _answer(self, request: web.Request, *, parent_id: str | None) -> web.Response:
        video_id = request.match_info["videoID"]
        await self._uplink.require_video(video_id)
        self._authenticate(request, video_id)
        unknown = request.query.keys() - PARAMETERS
        if unknown:
            raise Refused("bad_field", f"unknown parameter {min(unknown)!r}")
        limit = _limit(request.query.get("limit"))
        start, not_before_ms = self._start(request.query.get("since"))
        if (first_time := request.query.get("from")) is not None:
            not_before_ms = _time_ms(first_time)
        page = await self._reads.page(
            Wanted(video_id, parent_id, not_before_ms), start=start, limit=limit
        )
        position = str(Position(self._log.epoch(Topic.EVENTS), page.offset))
        headers = {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "Groundswell-Position": position,
        }
        if page.more:
            query = {"since": position, "limit": str(limit)}
            if not_before_ms:  # a later page may still hold what is older than was asked for
                query["from"] = rfc3339(not_before_ms)
            headers["Link"] = f'<{request.path}?{urlencode(query)}>; rel="next"'
        return web.Response(body=b"[%b]" % b",".join(page.comments), headers=headers)

    def _authenticate(self, request: web.Request, video_id: str) -> None:
        """Check a token that is there; where viewers must be known it must be."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            self._uplink.authenticate(token, video_id)
        elif self._auth_required:
            raise Refused("token_missing")

    def _start(self, since: str | None) -> tuple[Callable[[int], Awaitable[int]], int]:
        """Return how to find the first offset in a partition, and the earliest time to show."""
        if since is None:
            return self._first_offset, 0
        if ":" in since[:17] and since[:16].isalnum():
            try:
                position = Position.parse(since)
            except BadPosition as error:
                raise Refused("bad_position", str(error)) from error
            if position.epoch != self._log.epoch(Topic.EVENTS):
                raise Refused("bad_position", "position of another log: start without `since`")
            return self._offset(position.offset), 0
        time_ms = _time_ms(since)
        return self._offset_at(time_ms - SLACK_MS), time_ms

    async def _first_offset(self, number: int) -> int:
        return 0

    def _offset(self, offset: int) -> Callable[[int], Awaitable[int]]:
        async def start(number: int) -> int:
            bounds = await self._log.bounds(Topic.EVENTS, number)
            if offset > bounds.end:
                raise Refused("bad_position", "position lies in the future")
            return offset

        return start

    def _offset_at(self, time_ms: int) -> Callable[[int], Awaitable[int]]:
        async def start(number: int) -> int:
            return await self._log.offset_at(Topic.EVENTS, number, time_ms)

        return start


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT_DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LIMIT_MAX):
        raise Refused("bad_limit", f"limit is a whole number from 1 to {LIMIT_MAX}")
    return int(text)


def _time_ms(text: str) -> int:
    """Read an RFC 3339 time; a `+` that a URL made a space is forgiven."""
    try:
        time = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError as error:
        raise Refused("bad_position", "since is neither a position nor an RFC 3339 time") from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return max(0, int(time.timestamp() * 1000))
