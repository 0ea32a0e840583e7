"""The internal port: `/health`, `/ready`, `/metrics`. Not for the public."""

from collections.abc import Callable, Mapping

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from groundswell.server.problems import problems

Checks = Callable[[], Mapping[str, bool | str]]
"""What must hold before traffic may come: name -> True, or False or a text that says why not."""


def internal_app(
    *, checks: Checks, draining: Callable[[], bool], registry: CollectorRegistry
) -> web.Application:
    """Return the application of the internal port.

    `/health` answers 200 as long as the event loop turns; a restart helps if it does not.
    `/ready` answers 503 while a check fails or the process drains; a restart does not help.
    """

    async def health(_: web.Request) -> web.Response:
        return _json(200, {"status": "up"})

    async def ready(_: web.Request) -> web.Response:
        results = dict(checks())
        results["not draining"] = not draining()
        well = all(result is True for result in results.values())
        return _json(
            200 if well else 503, {"status": "ready" if well else "not ready", "checks": results}
        )

    async def metrics(_: web.Request) -> web.Response:
        body = generate_latest(registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(middlewares=[problems])
    app.router.add_routes(
        [web.get("/health", health), web.get("/ready", ready), web.get("/metrics", metrics)]
    )
    return app


def _json(status: int, content: object) -> web.Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return web.Response(status=status, body=msgspec.json.encode(content), headers=headers)
