"""GET: parameters, headers, pages that link to each other."""

from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from groundswell.contract.clock import rfc3339
from groundswell.contract.settings import AuthSettings


@pytest.fixture(name="get")
async def fixture_get(site):
    """GET a path; returns status, headers and JSON."""
    async with aiohttp.ClientSession() as session:

        async def get(path, *, port=None, **headers):
            url = f"http://127.0.0.1:{port or site.port}{path}"
            async with session.get(url, headers=headers) as response:
                return response.status, response.headers, await response.json(content_type=None)

        yield get


def texts(comments):
    return [comment["commentText"] for comment in comments]


async def test_a_page_is_a_bare_list_with_every_reaction(get, world):
    """Zeros included, and the position that it is complete to."""
    await world.write("a", "b")
    status, headers, comments = await get("/live/v/comments")
    assert status == 200
    assert texts(comments) == ["a", "b"]
    assert set(comments[0]["reactions"]) == {"likes", "loves", "hahas", "wows", "sads", "angries"}
    assert headers["Groundswell-Position"].endswith(":2")
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"
    assert "Link" not in headers


async def test_pages_link_to_the_next_until_the_last(get, world):
    """Following the links shows everything once."""
    await world.write(*(str(n) for n in range(7)))
    seen, path = [], "/live/v/comments?limit=3"
    while path:
        _, headers, comments = await get(path)
        seen += texts(comments)
        link = headers.get("Link")
        path = link and link.partition(">")[0].removeprefix("<")
    assert seen == [str(n) for n in range(7)]


async def test_a_page_by_position_begins_there(get, world):
    """What a page or an ack gave out."""
    await world.write("a")
    _, headers, _ = await get("/live/v/comments")
    await world.write("b")
    _, _, comments = await get(f"/live/v/comments?since={headers['Groundswell-Position']}")
    assert texts(comments) == ["b"]


async def test_a_page_by_time_has_comments_of_that_time_and_later(get, world, clock):
    """Its further pages, too, although they go by position."""
    await world.write("old")
    clock.advance(1)
    time = rfc3339(clock.wall)
    await world.write("a", "b", "c")
    _, headers, comments = await get(f"/live/v/comments?since={time}&limit=2")
    assert texts(comments) == ["a", "b"]
    path = headers["Link"].partition(">")[0].removeprefix("<")
    assert parse_qs(urlsplit(path).query)["from"] == [time]
    _, _, comments = await get(path)
    assert texts(comments) == ["c"]
    _, _, comments = await get(f"/live/v/comments?since={rfc3339(clock.wall + 1)}")
    assert comments == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "bad_limit"),
        ("limit=501", "bad_limit"),
        ("limit=1e2", "bad_limit"),
        ("limit=%D9%A3", "bad_limit"),
        ("since=yesterday", "bad_position"),
        ("since=00000000000000ff:0", "bad_position"),  # another log's
        ("since=00000000000000ff:x", "bad_position"),
        ("from=never", "bad_position"),
        ("page=2", "bad_field"),
    ],
)
async def test_what_makes_no_sense_is_refused(get, query, code):
    """400 with a code; the server guesses nothing."""
    status, _, problem = await get(f"/live/v/comments?{query}")
    assert (status, problem["code"]) == (400, code)


async def test_a_position_in_the_future_is_refused(get, world):
    """Nobody gave it out."""
    _, headers, _ = await get("/live/v/comments")
    epoch = headers["Groundswell-Position"].partition(":")[0]
    status, _, problem = await get(f"/live/v/comments?since={epoch}:999")
    assert (status, problem["code"]) == (400, "bad_position")


async def test_replies_are_those_of_one_comment(get, world):
    """An id that nobody issued names no thread."""
    (parent,) = await world.write("parent")
    await world.write("reply", parent=parent)
    await world.write("other")
    _, _, comments = await get(f"/live/v/comments/{parent}/replies")
    assert texts(comments) == ["reply"]
    forged = parent[:-1] + ("0" if parent[-1] != "0" else "1")
    status, _, problem = await get(f"/live/v/comments/{forged}/replies")
    assert (status, problem["code"]) == (404, "no_such_comment")


async def test_reading_needs_a_token_where_viewers_must_be_known(make_site, get):
    """And one that is given must be good anywhere."""
    site = await make_site(auth=AuthSettings(viewers="required"))
    assert (await get("/live/v/comments", port=site.port))[0] == 401
    allowed = await get("/live/v/comments", port=site.port, Authorization="Bearer ada")
    assert allowed[0] == 200
    assert (await get("/live/v/comments", Authorization="Bearer forged"))[0] == 401


async def test_a_video_that_does_not_exist_is_said(get):
    """404, for pages and threads."""
    status, _, problem = await get("/live/missing/comments")
    assert (status, problem["code"]) == (404, "no_such_video")
