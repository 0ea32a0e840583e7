"""The people: guests with tokens, one stream that all of them watch, and what they do."""

import asyncio
import contextlib
import signal
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
import orjson
import structlog

from groundswell.contract.clock import Clock, SystemClock
from groundswell.contract.reactions import REACTION_TYPES
from groundswell.demo import phrases
from groundswell.demo.mood import Mood

REMEMBERED = 60  # comments on the screen, about: what people answer and react to
PEOPLE_LEAST = 25
BACKOFF_S = (0.5, 20.0)  # docs/protocol.md, Resume
RENEW_S = 60.0  # before a token expires
REPLIES = 0.25  # share of comments that answer one
HEARTS = 0.4  # share of reactions that are to the video
CALL_S = 10.0
UNDER_WAY_MAX = 256  # calls at once: a server that hangs must not make us grow

_KINDS = tuple(row.name for row in REACTION_TYPES)
_WEIGHTS = (50, 25, 15, 6, 2, 2)  # like, love, haha, wow, sad, angry

logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Person:
    name: str
    token: str | None = None
    renew_at: float = 0.0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)  # one session at a time


class Crowd:
    """Simulated viewers of one video, over HTTP and WebSocket like everybody else.

    `comments` and `reactions` are averages per second. `url` is the server's, without a path.
    Its server must give out guest sessions. Without `people` there are enough for the rates.
    """

    def __init__(
        self,
        *,
        url: str,
        video: str,
        comments: float,
        reactions: float,
        people: int | None = None,
        random: Random | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._live = f"{self._url}/live/{video}"
        self._rates = (comments, reactions)
        self._random = Random() if random is None else random  # noqa: S311  # a game, no secret
        self._clock = SystemClock() if clock is None else clock
        if people is None:  # so many that nobody writes much more than once in fifteen seconds
            people = max(PEOPLE_LEAST, int(comments * 15), int(reactions * 2))
        self._people = [_Person(phrases.name(self._random, n)) for n in range(1, people + 1)]
        self._recent: deque[str] = deque(maxlen=REMEMBERED)
        self._position: str | None = None
        self._mood = Mood(self._random, now=self._clock.monotonic())

    async def run(self) -> None:
        """Watch, comment and react until cancelled; a server that goes away is waited for."""
        timeout = aiohttp.ClientTimeout(total=CALL_S)
        connector = aiohttp.TCPConnector(limit=UNDER_WAY_MAX)
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as http,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._watch(http))
            for rate, act in zip(self._rates, (self._comment, self._react), strict=True):
                if rate > 0:
                    tasks.create_task(self._repeat(rate, act, http))

    async def _repeat(
        self,
        rate: float,
        act: Callable[[aiohttp.ClientSession, _Person], Awaitable[None]],
        http: aiohttp.ClientSession,
    ) -> None:
        failing = False
        failures = 0  # in a row; calls that fail together are one
        under_way = 0

        async def attempt(person: _Person) -> None:
            nonlocal failing, failures, under_way
            try:
                await act(http, person)
                failures = 0
            except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
                if not failing and not failures:
                    logger.info("the crowd waits for the server", reason=_reason(error))
                failing = True
            finally:
                under_way -= 1

        async with asyncio.TaskGroup() as tasks:
            while True:
                await asyncio.sleep(self._mood.wait(rate))
                if failing:
                    failures += 1
                    failing = False
                    await asyncio.sleep(self._backoff(failures))
                if under_way < UNDER_WAY_MAX and self._mood.follows(self._clock.monotonic()):
                    under_way += 1
                    tasks.create_task(attempt(self._random.choice(self._people)))

    async def _comment(self, http: aiohttp.ClientSession, person: _Person) -> None:
        body: dict[str, str]
        if self._mood.cheering(self._clock.monotonic()):
            body = {"commentText": phrases.goal(self._random)}
        elif self._recent and self._random.random() < REPLIES:
            body = {
                "commentText": phrases.reply(self._random),
                "replyToCommentID": self._random.choice(self._recent),
            }
        else:
            body = {"commentText": phrases.comment(self._random)}
        await self._post(http, person, f"{self._live}/comments", body)

    async def _react(self, http: aiohttp.ClientSession, person: _Person) -> None:
        path = f"{self._live}/reactions"
        cheering = self._mood.cheering(self._clock.monotonic())
        if self._recent and not cheering and self._random.random() >= HEARTS:
            path = f"{self._live}/comments/{self._random.choice(self._recent)}/reactions"
        kind = self._random.choices(_KINDS, _WEIGHTS)[0]
        await self._post(http, person, path, {"reactionType": kind})

    async def _post(
        self, http: aiohttp.ClientSession, person: _Person, path: str, body: dict[str, str]
    ) -> None:
        token = await self._token(http, person)
        headers = {"Authorization": f"Bearer {token}"}
        async with http.post(path, json=body, headers=headers) as answer:
            if answer.status == 401:
                person.token = None  # another secret since a restart
            if answer.status >= 500:
                answer.raise_for_status()
            # Anything else that is refused (a limit, a comment deleted meanwhile) is part of life.

    async def _token(self, http: aiohttp.ClientSession, person: _Person) -> str:
        async with person.asking:
            now = self._clock.monotonic()
            if person.token is None or now >= person.renew_at:
                body = {"name": person.name}
                async with http.post(f"{self._url}/session/guest", json=body) as answer:
                    answer.raise_for_status()
                    session = orjson.loads(await answer.read())
                person.token = str(session["token"])
                person.renew_at = now + session["expiresIn"] - RENEW_S
            return person.token

    async def _watch(self, http: aiohttp.ClientSession) -> None:
        failures = 0
        while True:
            # `ClientWSTimeout` bounds the close only: a quiet stream is not a broken one.
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
                async with self._stream(http) as stream:
                    async for message in stream:
                        if message.type is aiohttp.WSMsgType.TEXT:
                            failures = 0
                            await self._see(stream, orjson.loads(message.data))
            failures += 1
            await asyncio.sleep(self._backoff(failures))

    def _stream(self, http: aiohttp.ClientSession) -> Any:
        parameters = {} if self._position is None else {"position": self._position}
        return http.ws_connect(
            f"{self._live}/comments/stream",
            params=parameters,
            protocols=("groundswell.v1",),
            autoping=True,
        )

    async def _see(
        self, stream: "aiohttp.ClientWebSocketResponse", message: dict[str, Any]
    ) -> None:
        self._position = message.get("position", self._position)
        if message.get("type") == "ping":
            await stream.send_str('{"type":"pong"}')
        if message.get("type") == "welcome" and not message.get("recovered"):
            self._recent.clear()
        for comment in message.get("comments", ()):
            self._recent.append(comment["commentID"])
        for event in message.get("events", ()):
            if event.get("type") == "deleted":
                with contextlib.suppress(ValueError):  # it may be long out of sight
                    self._recent.remove(event["commentID"])

    def _backoff(self, failures: int) -> float:
        first, most = BACKOFF_S
        return self._random.uniform(0, min(most, first * 2 ** min(failures, 10)))


def _reason(error: Exception) -> str:
    """Say in words what a call failed of."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"it answers {error.status} to {error.request_info.method} {error.request_info.url}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {error.host} port {error.port}"
    if isinstance(error, TimeoutError):
        return f"no answer in {CALL_S:g} s"
    return str(error) or type(error).__name__


def run(*, url: str, video: str, comments: float, reactions: float) -> int:
    """Run a crowd until Ctrl-C or SIGTERM; returns the exit status."""
    crowd = Crowd(url=url, video=video, comments=comments, reactions=reactions)
    return asyncio.run(_until_told(crowd))


async def _until_told(crowd: Crowd) -> int:
    watching = asyncio.ensure_future(crowd.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, watching.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    return 0
