"""The viewer page and its assets, and guest sessions for it in demo mode.

Files are read once, at start, into a table: a path that is not in it does not exist, so no
request can reach anything else.
"""

import hashlib
import ipaddress
import mimetypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Final

import msgspec
from aiohttp import web

from groundswell.contract.names import is_video_id
from groundswell.contract.problems import Refused

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE: Final = "watch.html"
# Python's table depends on the machine; these are ours.
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    etag: str
    headers: dict[str, str]


def page_routes(folder: Traversable) -> list[web.RouteDef]:
    """Return `/`, `/watch/{videoID}` and `/assets/...` from `watch.html` and `assets/`.

    `folder` is `importlib.resources.files("groundswell.web")`. Raises `FileNotFoundError`.
    """
    page = _load(folder / _PAGE)
    assets = dict(_walk(folder / "assets", ""))

    async def watch(request: web.Request) -> web.Response:
        video_id = request.match_info.get("videoID")
        if video_id is not None and not is_video_id(video_id):
            raise Refused("bad_video_id")
        return _send(request, page)

    async def asset(request: web.Request) -> web.Response:
        file = assets.get(request.match_info["path"])
        if file is None:
            raise Refused("no_such_route")
        return _send(request, file)

    return [
        web.get("/", watch),
        web.get("/watch/{videoID}", watch),
        web.get("/assets/{path:.+}", asset),
    ]


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, _File]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, _load(entry)


def _load(file: Traversable) -> _File:
    content = file.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    suffix = file.name[file.name.rfind(".") :]
    guessed = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    headers = {
        "Content-Type": _TYPES.get(suffix, guessed),
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cache-Control": "no-cache",  # kept, but asked for again: a release shows at once
        "ETag": etag,
    }
    return _File(content, etag, headers)


def _send(request: web.Request, file: _File) -> web.Response:
    known = request.headers.get("If-None-Match", "")
    if file.etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
        return web.Response(status=304, headers=file.headers)
    return web.Response(body=file.content, headers=file.headers)


@dataclass(frozen=True, slots=True)
class Guest:
    """A session made for a visitor: the token, whose it is, and how long it is good for."""

    token: str
    user_id: str
    expires_in: int  # seconds


class _GuestBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str | None = None


_guest_body = msgspec.json.Decoder(_GuestBody)


def guest_routes(
    sign: Callable[[str | None], Guest], *, address_of: Callable[[web.Request], str]
) -> list[web.RouteDef]:
    """Return `POST /session/guest`, for demo mode only; it answers loopback only.

    `sign` takes the name that the visitor asked for (up to 32 characters, not yet checked in any
    other way) or None, and returns a session.
    """

    async def open_session(request: web.Request) -> web.Response:
        # Both: a proxy on this machine that we do not know of shows as loopback itself, and says
        # in whose name it asks.
        if not _is_loopback(address_of(request)) or "X-Forwarded-For" in request.headers:
            raise Refused("no_such_route")
        if request.content_type != "application/json":  # a form of a foreign page cannot set it
            raise Refused("not_json")
        try:
            body = _guest_body.decode(await request.read() or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refused("bad_json") from None
        if body.name is not None and not 1 <= len(body.name) <= 32:
            raise Refused("bad_field", "name has 1-32 characters")
        guest = sign(body.name)
        answer = {"token": guest.token, "userID": guest.user_id, "expiresIn": guest.expires_in}
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        return web.Response(status=201, body=msgspec.json.encode(answer), headers=headers)

    return [web.post("/session/guest", open_session)]


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
