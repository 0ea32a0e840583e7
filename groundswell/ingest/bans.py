"""HTTP routes of bans. What they answer is in `docs/protocol.md`."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from aiohttp import web

from groundswell.contract.claims import Claims
from groundswell.contract.clock import rfc3339
from groundswell.contract.control import EVERY_VIDEO, Ban
from groundswell.contract.messages import BanBody
from groundswell.contract.names import is_user_id, is_video_id
from groundswell.contract.ports.uplink import Origin
from groundswell.contract.problems import Refused
from groundswell.ingest.bodies import BodyReader, JsonBody, require_json
from groundswell.ingest.moderation import Moderation

Authenticate = Callable[[web.Request, str], Claims]
"""`(request, video id or EVERY_VIDEO) -> who asks`; raises `Refused`."""

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 500
_PARAMETERS: Final = frozenset({"after", "limit"})

_ban_body = JsonBody(BanBody)


class BanRoutes:
    """The routes of bans of one video and, without a video, of every video."""

    def __init__(
        self,
        moderation: Moderation,
        *,
        authenticate: Authenticate,
        origin_of: Callable[[web.Request], Origin],
        bodies: BodyReader,
    ) -> None:
        self._moderation = moderation
        self._authenticate = authenticate
        self._origin = origin_of
        self._bodies = bodies

    def table(self) -> list[web.RouteDef]:
        """Return the routes for aiohttp's router."""
        return [
            route
            for bans in ("/live/{videoID}/bans", "/bans")
            for route in (
                web.get(bans, self.get_bans, allow_head=False),
                web.put(bans + "/{userID}", self.put_ban),
                web.delete(bans + "/{userID}", self.delete_ban),
            )
        ]

    async def get_bans(self, request: web.Request) -> web.Response:
        """Answer a page of the bans that hold, by user id."""
        video_id, moderator = self._authenticate_of(request)
        if unknown := request.query.keys() - _PARAMETERS:
            raise Refused("bad_field", f"unknown parameter {min(unknown)!r}")
        limit = _limit(request.query.get("limit"))
        found = await self._moderation.bans(
            video_id, after=request.query.get("after", ""), limit=limit + 1, moderator=moderator
        )
        page = found[:limit]
        headers = {"Cache-Control": "no-store"}
        if len(found) > limit:
            query = urlencode({"after": page[-1].user_id, "limit": str(limit)})
            headers["Link"] = f'<{request.path}?{query}>; rel="next"'
        return _json([_listed(ban) for ban in page], headers=headers)

    async def put_ban(self, request: web.Request) -> web.Response:
        """Answer `PUT .../bans/{userID}`."""
        video_id, moderator = self._authenticate_of(request)
        user_id = _user_of(request)
        content = await self._bodies.read(request) if request.body_exists else b""
        body = BanBody()
        if content:
            require_json(request)
            body = _ban_body.decode(content)
        ban = await self._moderation.ban(
            video_id,
            user_id,
            seconds=body.seconds,
            reason=body.reason,
            moderator=moderator,
            origin=self._origin(request),
        )
        return _json({"status": "banned", "userID": user_id, "until": _until(ban)})

    async def delete_ban(self, request: web.Request) -> web.Response:
        """Answer `DELETE .../bans/{userID}`."""
        video_id, moderator = self._authenticate_of(request)
        user_id = _user_of(request)
        await self._moderation.lift_ban(
            video_id, user_id, moderator=moderator, origin=self._origin(request)
        )
        return _json({"status": "lifted", "userID": user_id})

    def _authenticate_of(self, request: web.Request) -> tuple[str, Claims]:
        video_id = request.match_info.get("videoID", EVERY_VIDEO)
        if video_id != EVERY_VIDEO and not is_video_id(video_id):
            raise Refused("bad_video_id")
        return video_id, self._authenticate(request, video_id)


def _user_of(request: web.Request) -> str:
    user_id = request.match_info["userID"]
    if not is_user_id(user_id):
        raise Refused("bad_field", "not a user id")
    return user_id


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT_DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LIMIT_MAX):
        raise Refused("bad_limit", f"limit is a whole number from 1 to {LIMIT_MAX}")
    return int(text)


def _until(ban: Ban) -> str | None:
    return None if ban.until_ms is None else rfc3339(ban.until_ms)


def _listed(ban: Ban) -> dict[str, Any]:
    listed: dict[str, Any] = {
        "userID": ban.user_id,
        "until": _until(ban),
        "timestamp": rfc3339(ban.time_ms),
        "moderator": ban.moderator,
    }
    if ban.reason is not None:
        listed["reason"] = ban.reason
    return listed


def _json(answer: object, *, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(answer), headers={"Content-Type": "application/json", **(headers or {})}
    )
