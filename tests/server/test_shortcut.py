"""The shortcut past aiohttp's router: the same answers, or none of its business."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from yarl import URL

from groundswell.contract.origins import Origins
from groundswell.contract.problems import Refused
from groundswell.contract.settings import ServerSettings
from groundswell.server.app import public_app
from groundswell.server.listener import Listener
from groundswell.server.shortcut import Shortcut

HEADERS = ("X-Content-Type-Options", "Referrer-Policy", "X-Request-Id", "Server", "Content-Type")


async def by_shortcut(request: web.Request, video_id: str) -> web.Response:
    """Say who was asked."""
    if video_id == "refused":
        raise Refused("busy")
    return web.Response(text=f"shortcut {video_id} {len(await request.read())}")


async def by_router(request: web.Request) -> web.Response:
    """The same as an ordinary route."""
    if request.match_info["videoID"] == "refused":
        raise Refused("busy")
    return web.Response(text=f"router {request.match_info['videoID']}")


@pytest.fixture(name="url")
async def fixture_url() -> AsyncIterator[str]:
    """A server with both ways to one route."""
    settings = ServerSettings()
    app = public_app(
        [web.post("/live/{videoID}/comments", by_router)],
        settings=settings,
        origins=Origins(()),
        shortcut=Shortcut("/live/", "/comments", by_shortcut),
    )
    listener = Listener(app, host="127.0.0.1", port=0, settings=settings)
    await listener.start()
    yield f"http://127.0.0.1:{listener.port}"
    await listener.close()


async def test_a_plain_post_takes_the_shortcut(url: str) -> None:
    """With its body, and again on the same connection."""
    async with ClientSession() as client:
        for _ in range(2):
            async with client.post(f"{url}/live/v1/comments", data=b"12345") as answer:
                assert await answer.text() == "shortcut v1 5"


@pytest.mark.parametrize("path", ["/live/v1/comments?x=1", "/live/v%31/comments"])
async def test_anything_else_goes_to_the_router(url: str, path: str) -> None:
    """Also what only looks different: the router decides what it means."""
    async with (
        ClientSession() as client,
        client.post(URL(url + path, encoded=True), data=b"") as answer,
    ):
        assert await answer.text() == "router v1"


async def test_an_expected_continue_is_the_applications(url: str) -> None:
    """A client that waits for 100 gets it before it sends its body."""
    target = f"{url}/live/v1/comments"
    async with (
        ClientSession() as client,
        client.post(target, data=b"1", expect100=True) as answer,
    ):
        assert await answer.text() == "router v1"


@pytest.mark.parametrize("video", ["v1", "refused"])
async def test_both_ways_answer_alike(url: str, video: str) -> None:
    """Status, problem and headers do not tell which way a request went."""
    target = f"{url}/live/{video}/comments"
    async with (
        ClientSession() as client,
        client.post(target) as short,
        client.post(URL(target + "?", encoded=True)) as long,
    ):
        assert short.status == long.status
        assert [h in short.headers for h in HEADERS] == [h in long.headers for h in HEADERS]
        assert short.headers.get("Retry-After") == long.headers.get("Retry-After")


async def test_an_oversized_path_segment_is_no_video(url: str) -> None:
    """What is no video id is left to the route that refuses it."""
    target = f"{url}/live/{'x' * 65}/comments"
    async with ClientSession() as client, client.post(target) as answer:
        assert (await answer.text()).startswith("router")
