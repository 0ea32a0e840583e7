"""HTTP routes of the write path. What they answer is in `docs/protocol.md`."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from groundswell.contract.claims import Claims
from groundswell.contract.clock import rfc3339
from groundswell.contract.messages import CommentBody, ReactionBody, ReactionRemoval
from groundswell.contract.names import is_ref, is_video_id
from groundswell.contract.ports.uplink import Origin, Uplink
from groundswell.contract.problems import Refused
from groundswell.contract.reactions import Counts, counts_json_full
from groundswell.ingest.bans import BanRoutes
from groundswell.ingest.bodies import BodyReader, JsonBody, require_json
from groundswell.ingest.moderation import Moderation

POSITION_HEADER: Final = "Groundswell-Position"
_JSON: Final = {"Content-Type": "application/json"}

_comment_body = JsonBody(CommentBody)
_reaction_body = JsonBody(ReactionBody)
_reaction_removal = JsonBody(ReactionRemoval)


class WriteRoutes:
    """The write routes. Handlers raise `Refused`; the server makes that a problem.

    `origin_of` tells where a request came from.
    """

    def __init__(
        self,
        uplink: Uplink,
        moderation: Moderation,
        *,
        origin_of: Callable[[web.Request], Origin],
        bodies: BodyReader,
    ) -> None:
        self._uplink = uplink
        self._moderation = moderation
        self._origin = origin_of
        self._bodies = bodies
        self._bans = BanRoutes(
            moderation, authenticate=self._verify_bearer, origin_of=origin_of, bodies=bodies
        )

    def table(self) -> list[web.RouteDef]:
        """Return the routes for aiohttp's router."""
        video = "/live/{videoID}"
        comment = video + "/comments/{commentID}"
        return [
            web.post(video + "/comments", self.post_comment),
            web.delete(comment, self.delete_comment),
            web.post(comment + "/reactions", self.post_reaction),
            web.delete(comment + "/reactions", self.delete_reaction),
            web.post(video + "/reactions", self.post_heart),
            *self._bans.table(),
        ]

    async def post_comment(self, request: web.Request) -> web.Response:
        """Answer `POST /live/{videoID}/comments`."""
        return await self.comment(request, request.match_info["videoID"])

    async def comment(self, request: web.Request, video_id: str) -> web.Response:
        """The same, for a video id that was found without the router."""
        author = self._authenticate(request, video_id)
        ref = request.headers.get("Idempotency-Key")
        if ref is not None and not is_ref(ref):
            raise Refused("bad_ref")
        require_json(request)
        body = _comment_body.decode(await self._bodies.read(request))
        _require_subject(body.userID, author)
        accepted = await self._uplink.post_comment(
            video_id,
            body.commentText,
            author=author,
            origin=self._origin(request),
            reply_to=body.replyToCommentID,
            ref=ref,
        )
        headers = _JSON if accepted.position is None else {
            **_JSON, POSITION_HEADER: accepted.position,
        }  # fmt: skip
        # Nothing in these three needs escaping.
        answer = (
            f'{{"commentID":"{accepted.comment_id}","status":"success",'
            f'"timestamp":"{rfc3339(accepted.time_ms)}"}}'
        )
        return web.Response(status=201, body=answer.encode(), headers=headers)

    async def delete_comment(self, request: web.Request) -> web.Response:
        """Answer `DELETE /live/{videoID}/comments/{commentID}`."""
        video_id, moderator = self._authenticate_of(request)
        comment_id = request.match_info["commentID"]
        await self._moderation.delete_comment(
            video_id, comment_id, moderator=moderator, origin=self._origin(request)
        )
        # It was verified: an id has nothing to escape.
        answer = f'{{"status":"deleted","commentID":"{comment_id}"}}'
        return web.Response(body=answer.encode(), headers=_JSON)

    async def post_reaction(self, request: web.Request) -> web.Response:
        """Answer `POST .../comments/{commentID}/reactions`."""
        video_id, user = self._authenticate_of(request)
        require_json(request)
        body = _reaction_body.decode(await self._bodies.read(request))
        _require_subject(body.userID, user)
        counts = await self._uplink.react(
            video_id,
            request.match_info["commentID"],
            body.reactionType,
            user=user,
            origin=self._origin(request),
        )
        return _counted(counts)

    async def delete_reaction(self, request: web.Request) -> web.Response:
        """Answer `DELETE .../comments/{commentID}/reactions`."""
        video_id, user = self._authenticate_of(request)
        content = await self._bodies.read(request) if request.body_exists else b""
        if content:
            require_json(request)
            _require_subject(_reaction_removal.decode(content).userID, user)
        counts = await self._uplink.react(
            video_id,
            request.match_info["commentID"],
            None,
            user=user,
            origin=self._origin(request),
        )
        return _counted(counts)

    async def post_heart(self, request: web.Request) -> web.Response:
        """Answer `POST /live/{videoID}/reactions`."""
        video_id, user = self._authenticate_of(request)
        require_json(request)
        body = _reaction_body.decode(await self._bodies.read(request))
        _require_subject(body.userID, user)
        counts = await self._uplink.heart(
            video_id, body.reactionType, user=user, origin=self._origin(request)
        )
        return _counted(counts)

    def _authenticate_of(self, request: web.Request) -> tuple[str, Claims]:
        video_id = request.match_info["videoID"]
        return video_id, self._authenticate(request, video_id)

    def _authenticate(self, request: web.Request, video_id: str) -> Claims:
        if not is_video_id(video_id):
            raise Refused("bad_video_id")
        return self._verify_bearer(request, video_id)

    def _verify_bearer(self, request: web.Request, video_id: str) -> Claims:
        header = request.headers.get("Authorization")
        if header is None:
            raise Refused("token_missing")
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused("token_missing", "Authorization is not a Bearer token")
        return self._uplink.authenticate(token, video_id)


def _require_subject(user_id: str | None, author: Claims) -> None:
    if user_id is not None and user_id != author.user_id:
        raise Refused("user_mismatch")


def _counted(counts: Counts) -> web.Response:
    body = b'{"status":"success","reactionCount":' + counts_json_full(counts) + b"}"
    return web.Response(body=body, headers=_JSON)
