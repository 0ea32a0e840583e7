"""The simulated crowd against a server of a few lines."""

import asyncio
import contextlib
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from groundswell.demo import Crowd, phrases
from groundswell.demo.mood import CALM, CHEER, GOAL_S, Mood

FIRST = "0192aaaa-0000-7000-8000-000000000001"


@dataclass
class FakeServer:
    """Keeps what the crowd does; `failing` has it answer 503."""

    failing: bool = False
    unknown: set[str] = field(default_factory=set)  # tokens that a restart made invalid
    guests: list[str] = field(default_factory=list)
    comments: list[dict[str, str]] = field(default_factory=list)
    reacted: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    positions: list[str | None] = field(default_factory=list)
    pongs: int = 0
    streams: list[web.WebSocketResponse] = field(default_factory=list)

    def app(self) -> web.Application:
        """Return the routes."""
        app = web.Application()
        app.router.add_post("/session/guest", self.guest)
        app.router.add_post("/live/demo/comments", self.comment)
        app.router.add_post("/live/demo/reactions", self.react)
        app.router.add_post("/live/demo/comments/{comment}/reactions", self.react)
        app.router.add_get("/live/demo/comments/stream", self.stream)
        return app

    async def guest(self, request: web.Request) -> web.Response:
        """Give out a session."""
        name = (await request.json())["name"]
        self.guests.append(name)
        token = f"{name}/{len(self.guests)}"
        answer = {"token": token, "userID": name, "expiresIn": 3600}
        return web.json_response(answer, status=201)

    def _checked(self, request: web.Request) -> None:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        if self.failing or token in self.unknown:
            self.refused += 1
            raise web.HTTPServiceUnavailable if self.failing else web.HTTPUnauthorized

    async def comment(self, request: web.Request) -> web.Response:
        """Take a comment and show it."""
        self._checked(request)
        self.comments.append(await request.json())
        return web.json_response({"commentID": FIRST}, status=201)

    async def react(self, request: web.Request) -> web.Response:
        """Count a reaction."""
        self._checked(request)
        self.reacted[request.match_info.get("comment", "video")] += 1
        return web.json_response({"status": "success"})

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        """Welcome, ping, and take what comes."""
        self.positions.append(request.query.get("position"))
        stream = web.WebSocketResponse(protocols=("groundswell.v1",))
        await stream.prepare(request)
        self.streams.append(stream)
        welcome = {"type": "welcome", "position": "e:1", "comments": [{"commentID": FIRST}]}
        await stream.send_json(welcome)
        await stream.send_json({"type": "ping", "position": "e:2"})
        async for message in stream:
            self.pongs += json.loads(message.data) == {"type": "pong"}
        return stream


@pytest.fixture
async def served() -> AsyncIterator[tuple[FakeServer, str]]:
    """Return a fake server and its address."""
    fake = FakeServer()
    server = TestServer(fake.app())
    await server.start_server()
    yield fake, str(server.make_url("/"))
    await server.close()


@contextlib.asynccontextmanager
async def crowd_at(url: str, *, comments: float, reactions: float) -> AsyncIterator[None]:
    """Have a crowd there for the block."""
    crowd = Crowd(
        url=url, video="demo", comments=comments, reactions=reactions, people=5, random=Random(7)
    )
    task = asyncio.create_task(crowd.run())
    yield
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the test's timeout is the deadline."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # many conditions, no one place to set an event
            await asyncio.sleep(0)


async def test_the_crowd_comments_answers_and_reacts(served: tuple[FakeServer, str]) -> None:
    """Guests write varied comments, reply to what the stream shows, react to it and send hearts."""
    fake, url = served
    async with crowd_at(url, comments=200, reactions=200):
        await until(lambda: fake.pongs == 1)
        await until(lambda: any("replyToCommentID" in body for body in fake.comments))
        await until(lambda: fake.reacted["video"] > 0 and fake.reacted[FIRST] > 0)
    assert {body.get("replyToCommentID", FIRST) for body in fake.comments} == {FIRST}
    assert all(1 <= len(name) <= 32 for name in fake.guests)
    assert len(set(fake.guests)) == len(fake.guests)  # a token is kept, nobody asks twice


async def test_without_rates_the_crowd_only_watches(served: tuple[FakeServer, str]) -> None:
    """Zero is none at all."""
    fake, url = served
    async with crowd_at(url, comments=0, reactions=0):
        await until(lambda: fake.pongs == 1)
    assert (fake.comments, fake.reacted, fake.guests) == ([], Counter(), [])


async def test_the_crowd_comes_back_with_its_position(served: tuple[FakeServer, str]) -> None:
    """A cut stream is resumed at the last position that it told."""
    fake, url = served
    async with crowd_at(url, comments=0, reactions=0):
        await until(lambda: fake.pongs == 1)
        await fake.streams[0].close(code=4000)
        await until(lambda: len(fake.positions) == 2)
    assert fake.positions == [None, "e:2"]


async def test_the_crowd_outlives_a_server_that_fails(served: tuple[FakeServer, str]) -> None:
    """While it fails the crowd waits longer and longer; then it goes on."""
    fake, url = served
    fake.failing = True
    async with crowd_at(url, comments=100, reactions=0):
        await until(lambda: fake.refused > 0)
        assert fake.comments == []
        fake.failing = False
        await until(lambda: len(fake.comments) > 0)


async def test_a_refused_token_is_replaced(served: tuple[FakeServer, str]) -> None:
    """After a restart with another secret everybody gets a new session."""
    fake, url = served
    async with crowd_at(url, comments=300, reactions=0):
        await until(lambda: len(fake.comments) > 0)
        fake.unknown = {f"{name}/{n}" for n, name in enumerate(fake.guests, start=1)}
        await until(lambda: len(fake.guests) > len(set(fake.guests)))
        before = len(fake.comments)
        await until(lambda: len(fake.comments) > before)
    assert fake.refused > 0


def test_the_mean_rate_is_what_was_asked_for() -> None:
    """Calm and cheering together: within a few percent over a simulated day."""
    random = Random(1)
    mood, now, count = Mood(random, now=0.0), 0.0, 0
    while now < 86_400:
        now += mood.wait(1.0)
        count += mood.follows(now)
    assert count / 86_400 == pytest.approx(1.0, rel=0.05)


def test_a_goal_is_cheered_and_then_it_is_calm_again() -> None:
    """Both happen, and cheering is short."""
    mood = Mood(Random(1), now=0.0)
    cheering = [mood.cheering(now / 10) for now in range(20_000)]
    goals = sum(1 for before, after in itertools.pairwise(cheering) if after > before)
    assert goals > 20
    assert sum(cheering) / 10 == pytest.approx(goals * GOAL_S, rel=0.05)
    assert 0 < CALM < 1 < CHEER


def test_comments_are_many_and_fit_the_limit() -> None:
    """Thousands differ, and none is longer than a comment may be."""
    random = Random(1)
    said = [make(random) for make in (phrases.comment, phrases.goal, phrases.reply) * 2000]
    assert len(set(said)) > 1500
    assert all(0 < len(text) <= 200 for text in said)
