"""Every row of the problem table as a response, and what becomes of exceptions."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from groundswell.contract.problems import PROBLEMS, RETRY_STATUSES


@pytest.fixture(name="client")
async def fixture_client(make_app: Any) -> AsyncIterator[Any]:
    """A client of the application."""
    async with TestClient(TestServer(make_app())) as client:
        yield client


@pytest.mark.parametrize("code", PROBLEMS)
async def test_every_row_is_answered_in_the_form_of_rfc_9457(client: Any, code: str) -> None:
    """Status, media type, fields, and `Retry-After` where a client should come back."""
    row = PROBLEMS[code]
    async with client.get(f"/refuse/{code}") as response:
        assert response.status == row.status
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["Cache-Control"] == "no-store"
        assert ("Retry-After" in response.headers) == (row.status in RETRY_STATUSES)
        assert ("WWW-Authenticate" in response.headers) == (row.status == 401)
        body = await response.json(content_type=None)
    assert body["code"] == code
    assert body["status"] == row.status
    assert body["request_id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("seconds", "header"), [("0.001", "1"), ("1", "1"), ("1.01", "2"), ("59.5", "60")]
)
async def test_retry_after_is_rounded_up(client: Any, seconds: str, header: str) -> None:
    """A client that comes back by the header is never too early."""
    async with client.get(f"/refuse/rate_limited?retry_after={seconds}") as response:
        assert response.headers["Retry-After"] == header


async def test_an_unexpected_exception_is_logged_and_not_shown(
    client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the traceback under the request's id; the client has the id."""
    async with client.get("/fail", headers={"X-Request-Id": "abc.1"}) as response:
        text = await response.text()
        assert response.status == 500
        assert '"internal"' in text
        assert "abc.1" in text
    assert "hunter2" not in text
    assert "hunter2" in caplog.text
    assert [getattr(record, "request_id", None) for record in caplog.records] == ["abc.1"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "no_such_route"),
        ("PUT", "/echo", 405, "method_not_allowed"),
        ("POST", "/echo", 413, "body_too_large"),
    ],
)
async def test_errors_of_the_library_are_problems_too(
    client: Any, method: str, path: str, status: int, code: str
) -> None:
    """404, 405 with `Allow`, 413."""
    async with client.request(method, path, data=b"x" * 20_000) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (status, code)
        assert response.headers.get("Allow") == ("POST" if status == 405 else None)


@pytest.mark.parametrize("given", ["a b", "x" * 65, "<script>", "é", ""])
async def test_an_odd_request_id_is_replaced(client: Any, given: str) -> None:
    """What goes into logs and headers is a plain word."""
    async with client.get("/stream", headers={"X-Request-Id": given}) as response:
        assert response.headers["X-Request-Id"] not in {given, ""}


async def test_request_ids_differ(client: Any) -> None:
    """Each request without an id gets its own."""
    ids = set()
    for _ in range(3):
        async with client.get("/stream") as response:
            ids.add(response.headers["X-Request-Id"])
    assert len(ids) == 3
