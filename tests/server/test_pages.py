"""The page, its assets, and guest sessions."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from groundswell.contract.origins import Origins
from groundswell.contract.settings import ServerSettings
from groundswell.server.app import public_app
from groundswell.server.pages import Guest, guest_routes, page_routes

PEERS = {"address": "127.0.0.1"}


@pytest.fixture(name="client")
async def fixture_client(tmp_path: Path) -> AsyncIterator[Any]:
    """A server of a small page; a visitor's address is what the header says."""
    (tmp_path / "assets" / "deep").mkdir(parents=True)
    (tmp_path / "watch.html").write_text("<h1>hello</h1>")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "assets" / "a.js").write_text("1")
    (tmp_path / "assets" / "deep" / "b.css").write_text("2")
    app = public_app(
        page_routes(tmp_path),
        guest_routes(
            lambda name: Guest(f"token of {name}", name or "guest-1", 3600),
            address_of=lambda request: request.headers.get("X-Test-Peer", "127.0.0.1"),
        ),
        settings=ServerSettings(),
        origins=Origins([]),
    )
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "content_type", "text"),
    [
        ("/", "text/html", "<h1>hello</h1>"),
        ("/watch/v1", "text/html", "<h1>hello</h1>"),
        ("/assets/a.js", "text/javascript", "1"),
        ("/assets/deep/b.css", "text/css", "2"),
    ],
)
async def test_files_are_served_with_a_strict_policy(
    client: Any, path: str, content_type: str, text: str
) -> None:
    """No script but our own, no framing, revalidated each time."""
    async with client.get(path) as response:
        assert response.status == 200
        assert response.content_type == content_type
        assert await response.text() == text
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert response.headers["Cache-Control"] == "no-cache"
        etag = response.headers["ETag"]
    async with client.get(path, headers={"If-None-Match": f'"x", {etag}'}) as response:
        assert response.status == 304
        assert await response.read() == b""
    async with client.get(path, headers={"If-None-Match": '"x"'}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/assets/", "/assets/../secret.txt", "/assets/..%2fsecret.txt", "/assets/%2e%2e/secret.txt",
        "/assets/deep/../../secret.txt", "/assets//etc/passwd", "/assets/a.js%00", "/assets/A.js",
        "/secret.txt", "/watch", "/watch/",
    ],
)  # fmt: skip
async def test_nothing_else_can_be_reached(client: Any, path: str) -> None:
    """A path is a key of a table."""
    async with client.get(URL(path, encoded=True)) as response:
        assert response.status == 404
        assert "secret" not in await response.text()


async def test_a_page_of_a_video_that_cannot_be_is_refused(client: Any) -> None:
    """Its id would be shown on the page."""
    async with client.get(URL("/watch/%3Cb%3E", encoded=True)) as response:
        assert response.status == 400


def test_a_missing_page_stops_the_start(tmp_path: Path) -> None:
    """A broken installation is not found out by visitors."""
    with pytest.raises(FileNotFoundError):
        page_routes(tmp_path)


@pytest.mark.parametrize(("body", "user"), [({}, "guest-1"), ({"name": "Ada L."}, "Ada L.")])
async def test_a_guest_on_this_machine_gets_a_session(
    client: Any, body: dict[str, str], user: str
) -> None:
    """201 with a token, never cached."""
    async with client.post("/session/guest", json=body) as response:
        assert response.status == 201
        assert response.headers["Cache-Control"] == "no-store"
        answer = await response.json()
    assert answer == {"token": f"token of {body.get('name')}", "userID": user, "expiresIn": 3600}


@pytest.mark.parametrize(
    ("headers", "data", "status"),
    [
        ({"X-Test-Peer": "192.0.2.1"}, b"{}", 404),
        ({"X-Test-Peer": "garbage"}, b"{}", 404),
        ({"X-Forwarded-For": "192.0.2.1"}, b"{}", 404),
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({}, b"[" * 10_000, 400),
        ({}, b'{"name":""}', 400),
        ({}, b'{"name":"' + b"x" * 33 + b'"}', 400),
        ({}, b'{"role":"admin"}', 400),
        ({}, b"\xff", 400),
    ],
)
async def test_nobody_else_gets_one(
    client: Any, headers: dict[str, str], data: bytes, status: int
) -> None:
    """Strangers, proxied strangers, forms of foreign pages, odd bodies."""
    merged = {"Content-Type": "application/json", **headers}
    async with client.post("/session/guest", data=data, headers=merged) as response:
        assert response.status == status


def test_routes_are_plain_definitions(tmp_path: Path) -> None:
    """They can be joined with those of the roles."""
    routes = guest_routes(lambda _: Guest("", "", 0), address_of=lambda _: "")
    assert all(isinstance(route, web.RouteDef) for route in routes)
