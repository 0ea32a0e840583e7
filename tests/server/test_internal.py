"""The internal port."""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Counter

from groundswell.server.internal import internal_app


@pytest.mark.parametrize(
    ("checks", "draining", "status"),
    [
        ({"log": True, "store": True}, False, 200),
        ({}, False, 200),
        ({"log": False}, False, 503),
        ({"log": True, "store": "has never answered"}, False, 503),
        ({"log": True}, True, 503),
    ],
)
async def test_ready_tells_each_check(
    checks: dict[str, Any], status: int, *, draining: bool
) -> None:
    """200 only while all hold and nothing drains; health does not depend on it."""
    app = internal_app(
        checks=lambda: checks, draining=lambda: draining, registry=CollectorRegistry()
    )
    async with TestClient(TestServer(app)) as client:
        async with client.get("/ready") as response:
            assert response.status == status
            body = await response.json()
        async with client.get("/health") as response:
            assert response.status == 200
    assert {name: body["checks"][name] for name in checks} == checks
    assert body["checks"]["not draining"] is not draining


async def test_metrics_are_those_of_the_registry() -> None:
    """In the text format of Prometheus."""
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc(3)
    app = internal_app(checks=dict, draining=lambda: False, registry=registry)
    async with TestClient(TestServer(app)) as client, client.get("/metrics") as response:
        assert response.content_type == "text/plain"
        assert "things_total 3.0" in await response.text()


async def test_unknown_paths_are_problems() -> None:
    """The same form as on the public port."""
    app = internal_app(checks=dict, draining=lambda: False, registry=CollectorRegistry())
    async with TestClient(TestServer(app)) as client, client.get("/x") as response:
        assert response.status == 404
        assert response.content_type == "application/problem+json"
