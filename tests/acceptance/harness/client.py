"""The HTTP interface as a client uses it: thin, and without opinions about the answers."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

import aiohttp

from tests.acceptance.harness.deployment import Door

TIMEOUT = aiohttp.ClientTimeout(total=20)
POSITION = "Groundswell-Position"
NOBODY_THERE = frozenset({502, 504})  # only a proxy says so: the request may have got through
PROXY_REFUSES = frozenset({400, 408, 411, 413, 414, 431, 505})
Comment = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    next_url: str | None = None

    def json(self) -> Any:
        """Parse the body."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The stable code of a problem."""
        return str(self.json()["code"])

    @property
    def position(self) -> str:
        """The position that the answer is complete to."""
        return self.headers[POSITION]


class Unanswered(Exception):
    """The connection ended before the answer did: what was asked may have been done or not."""


class Client:
    """Requests to one deployment; users are named, tokens are made as needed."""

    def __init__(self, deployment: Door, session: aiohttp.ClientSession) -> None:
        self._deployment = deployment
        self._session = session
        self._tokens: dict[tuple[str, str], str] = {}

    def authorization(self, user: str, *, role: str = "viewer") -> dict[str, str]:
        """Return the header that says who asks."""
        if (user, role) not in self._tokens:
            self._tokens[user, role] = self._deployment.token(user, role=role)
        return {"Authorization": f"Bearer {self._tokens[user, role]}"}

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and read the answer; raises `Unanswered`."""
        url = path if path.startswith("http") else self._deployment.base_url + path
        try:
            async with self._session.request(
                method, url, json=body, data=data, headers=headers
            ) as response:
                if response.status in NOBODY_THERE:
                    raise Unanswered(f"{method} {path}: {response.status} of the proxy")
                link = response.links.get("next")
                return Answer(
                    response.status,
                    response.headers,
                    await response.read(),
                    str(link["url"]) if link else None,
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unanswered(f"{method} {path}: {error!r}") from error

    async def post_comment(
        self,
        video: str,
        user: str,
        text: str,
        *,
        reply_to: str | None = None,
        key: str | None = None,
        role: str = "viewer",
    ) -> Answer:
        """POST a comment."""
        body = {"commentText": text} | ({"replyToCommentID": reply_to} if reply_to else {})
        headers = self.authorization(user, role=role) | ({"Idempotency-Key": key} if key else {})
        return await self.request("POST", f"/live/{video}/comments", body=body, headers=headers)

    async def react(self, video: str, comment: str, user: str, reaction: str | None) -> Answer:
        """POST a reaction to a comment, or (None) DELETE it."""
        path = f"/live/{video}/comments/{comment}/reactions"
        headers = self.authorization(user)
        if reaction is None:
            return await self.request("DELETE", path, headers=headers)
        return await self.request("POST", path, body={"reactionType": reaction}, headers=headers)

    async def heart(self, video: str, user: str, reaction: str = "love") -> Answer:
        """POST a reaction to the video."""
        body = {"reactionType": reaction}
        path = f"/live/{video}/reactions"
        return await self.request("POST", path, body=body, headers=self.authorization(user))

    async def delete_comment(self, video: str, comment: str, moderator: str = "mod") -> Answer:
        """DELETE a comment."""
        headers = self.authorization(moderator, role="moderator")
        return await self.request("DELETE", f"/live/{video}/comments/{comment}", headers=headers)

    async def get(self, path: str) -> Answer:
        """GET; the caller says which status it wants."""
        return await self.request("GET", path)

    async def comments(self, video: str, query: str = "") -> list[Comment]:
        """GET one page of a video's comments."""
        answer = await self.get(f"/live/{video}/comments{query}")
        assert answer.status == 200, (answer.status, answer.body)
        return cast("list[Comment]", answer.json())

    async def every_comment(self, video: str, *, limit: int = 500) -> list[Comment]:
        """GET all pages of a video's comments by their `Link` headers."""
        return await self._every_page(f"/live/{video}/comments?limit={limit}")

    async def every_reply(self, video: str, parent: str, *, limit: int = 500) -> list[Comment]:
        """GET all pages of a comment's replies."""
        return await self._every_page(f"/live/{video}/comments/{parent}/replies?limit={limit}")

    async def _every_page(self, path: str) -> list[Comment]:
        found: list[Comment] = []
        url: str | None = path
        while url is not None:
            answer = await self.get(url)
            assert answer.status == 200, (answer.status, answer.body)
            page = answer.json()
            assert page or not answer.next_url, "an empty page that says that more follow"
            found += page
            url = answer.next_url
        return found


@asynccontextmanager
async def connect(deployment: Door) -> AsyncIterator[Client]:
    """Open a client with as many connections as it needs."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:
        yield Client(deployment, session)


class HasHeaders(Protocol):
    """An answer, parsed or raw."""

    status: int
    headers: Mapping[str, str]


def refused_by_proxy(answer: HasHeaders) -> bool:
    """Tell whether a proxy refused a request by itself, before any of our processes saw it."""
    page = answer.headers.get("content-type") or answer.headers.get("Content-Type", "")
    return answer.status in PROXY_REFUSES and page.startswith("text/html")


def problem_of(answer: Answer) -> str:
    """Check that an answer is a well-formed problem (RFC 9457) and return its code."""
    assert answer.headers["Content-Type"].startswith("application/problem+json"), answer
    problem = answer.json()
    assert problem["status"] == answer.status, answer
    assert {"type", "title", "code", "request_id"} <= problem.keys(), answer
    if answer.status in {429, 503, 507}:
        assert int(answer.headers["Retry-After"]) >= 1, answer
        assert problem["retry_after"] > 0, answer
    return str(problem["code"])
