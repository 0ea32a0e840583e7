"""The public application: routes of the roles under one roof, with CORS and security headers."""

from collections.abc import Iterable
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from groundswell.contract.origins import Origins
from groundswell.contract.settings import ServerSettings
from groundswell.server.problems import REQUEST_ID, REQUEST_ID_HEADER, problems
from groundswell.server.shortcut import Answer, Around, Shortcut

_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id"
    ),
    "Access-Control-Max-Age": "7200",  # seconds; Chromium takes no more
}
# What the listener puts around aiohttp's own handling of a request.
AROUND: Final = web.AppKey("AROUND", Around)
_EXPOSED: Final = "Groundswell-Position, Link, Retry-After, X-Request-Id"


def public_app(
    *tables: Iterable[web.RouteDef],
    settings: ServerSettings,
    origins: Origins,
    shortcut: Shortcut | None = None,
) -> web.Application:
    """Return the application of the public port; `shortcut` is one of its routes."""
    cross_origin = _CrossOrigin(origins)
    app = web.Application(
        middlewares=[problems, cross_origin.answer_preflight],
        client_max_size=settings.body_bytes,
    )
    for table in tables:
        app.router.add_routes(table)
    app.on_response_prepare.append(cross_origin.add_headers)
    if shortcut is not None:

        async def finish(request: web.Request, handler: Answer) -> web.StreamResponse:
            response = await problems(request, handler)
            await cross_origin.add_headers(request, response)
            return response

        app[AROUND] = Around(shortcut, finish)
    return app


class _CrossOrigin:
    """CORS (Fetch standard, section 3.3): who may read our answers from a page."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins

    @web.middleware
    async def answer_preflight(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer what a browser asks before it sends a request across origins."""
        if request.method == hdrs.METH_OPTIONS and (
            hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        ):
            allowed = self._allows(request)
            return web.Response(status=204, headers=_PREFLIGHT if allowed else None)
        return await handler(request)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add to every response, streams included, what all of them carry."""
        headers = response.headers
        headers[hdrs.SERVER] = "groundswell"  # not which libraries, in which versions
        headers[hdrs.X_CONTENT_TYPE_OPTIONS] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        if (request_id := request.get(REQUEST_ID)) is not None:
            headers[REQUEST_ID_HEADER] = request_id
        if self._origins.any:
            headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
        elif hdrs.ORIGIN in request.headers:
            headers.add(hdrs.VARY, hdrs.ORIGIN)
            if not self._allows(request):
                return
            headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = request.headers[hdrs.ORIGIN]
        else:
            return
        headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED

    def _allows(self, request: web.Request) -> bool:
        origin = request.headers.get(hdrs.ORIGIN)
        return self._origins.allows(origin, host=request.headers.get(hdrs.HOST))
