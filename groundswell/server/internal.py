"""The internal port: `/health`, `/ready`, `/metrics`. Not for the public."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest

from groundswell.server.problems import problems
from groundswell.server.readiness import Readiness

Report = Callable[[], Awaitable[tuple[bool, Mapping[str, Any]]]]
"""Tells whether traffic may come, and what `/ready` says."""


def internal_app(*, readiness: Readiness, registry: CollectorRegistry) -> web.Application:
    """Return the application of one process's internal port."""

    async def ready() -> tuple[bool, Mapping[str, Any]]:
        return readiness.report()

    async def metrics() -> bytes:
        return generate_latest(registry)

    return status_app(ready=ready, metrics=metrics)


def status_app(*, ready: Report, metrics: Callable[[], Awaitable[bytes]]) -> web.Application:
    """Return the application of an internal port.

    `/health` answers 200 as long as the event loop turns; a restart helps if it does not.
    `/ready` answers 503 while a required check fails or the process starts or drains; a restart
    does not help. `metrics` are in the text format of Prometheus.
    """

    async def answer_health(_: web.Request) -> web.Response:
        return _json(200, {"status": "up"})

    async def answer_ready(_: web.Request) -> web.Response:
        well, body = await ready()
        return _json(200 if well else 503, body)

    async def answer_metrics(_: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
        return web.Response(body=await metrics(), headers=headers)

    app = web.Application(middlewares=[problems])
    app.router.add_routes(
        [
            web.get("/health", answer_health),
            web.get("/ready", answer_ready),
            web.get("/metrics", answer_metrics),
        ]
    )
    return app


def _json(status: int, content: object) -> web.Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return web.Response(status=status, body=msgspec.json.encode(content), headers=headers)
