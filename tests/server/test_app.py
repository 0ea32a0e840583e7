"""CORS and security headers, on every kind of response."""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

GOOD = "https://good.example"


@pytest.mark.parametrize("path", ["/stream", "/refuse/busy", "/nothing", "/fail"])
async def test_every_response_has_the_security_headers(make_app: Any, path: str) -> None:
    """Streams and errors included; no library is named."""
    async with TestClient(TestServer(make_app())) as client, client.get(path) as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Server"] == "groundswell"
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("path", ["/stream", "/refuse/busy"])
async def test_an_allowed_origin_may_read(make_app: Any, path: str) -> None:
    """The origin is named, never echoed unseen, and caches are told."""
    async with TestClient(TestServer(make_app(GOOD))) as client:
        async with client.get(path, headers={"Origin": GOOD}) as response:
            assert response.headers["Access-Control-Allow-Origin"] == GOOD
            assert "Groundswell-Position" in response.headers["Access-Control-Expose-Headers"]
            assert response.headers["Vary"] == "Origin"
            assert "Access-Control-Allow-Credentials" not in response.headers
        async with client.get(path, headers={"Origin": "https://evil.example"}) as response:
            assert "Access-Control-Allow-Origin" not in response.headers
            assert response.headers["Vary"] == "Origin"


async def test_a_preflight_is_answered_for_allowed_origins_only(make_app: Any) -> None:
    """Methods and headers of the protocol."""
    ask = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    async with TestClient(TestServer(make_app(GOOD))) as client:
        async with client.options("/echo", headers={"Origin": GOOD, **ask}) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == GOOD
            assert "DELETE" in response.headers["Access-Control-Allow-Methods"]
            assert "Idempotency-Key" in response.headers["Access-Control-Allow-Headers"]
        async with client.options(
            "/echo", headers={"Origin": "https://evil.example", **ask}
        ) as response:
            assert "Access-Control-Allow-Origin" not in response.headers
            assert "Access-Control-Allow-Methods" not in response.headers
        async with client.options("/echo", headers={"Origin": GOOD}) as response:
            assert response.status == 405


async def test_a_star_allows_every_page(make_app: Any) -> None:
    """Also one without an origin of its own."""
    page = {"Origin": "null"}
    async with (
        TestClient(TestServer(make_app("*"))) as client,
        client.get("/stream", headers=page) as response,
    ):
        assert response.headers["Access-Control-Allow-Origin"] == "*"
