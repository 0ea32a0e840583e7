"""Readers of a stream that keep everything they saw, over WebSocket or server-sent events.

What a viewer shows is a `Segment`: it begins with a `welcome` that did not recover (a fresh
snapshot) and goes on for as long as the server says that nothing was missed. A checker holds every
segment against the order of the log.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
import websockets
from websockets.asyncio.client import ClientConnection

from tests.acceptance.harness.client import TIMEOUT
from tests.acceptance.harness.deployment import Door
from tests.acceptance.harness.waiting import wait_until

SUBPROTOCOL = websockets.Subprotocol("groundswell.v1")
Message = dict[str, Any]


class Cut(Exception):
    """The stream ended; `code` is the close code, None without one."""

    def __init__(self, code: int | None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@dataclass(slots=True)
class Segment:
    """What was shown between two fresh snapshots."""

    shown: list[str] = field(default_factory=list)  # comment ids in order of arrival
    deleted: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Seen:
    """Everything that one viewer was told, over all its connections."""

    segments: list[Segment] = field(default_factory=list)
    recovered: list[bool] = field(default_factory=list)  # of each `welcome` after a reconnect
    comments: dict[str, Message] = field(default_factory=dict)
    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    hearts: int = 0
    skipped: int = 0
    position: str | None = None
    frames: list[str] = field(default_factory=list)  # raw text of every welcome and update

    def take(self, text: str, *, reconnected: bool) -> Message:
        """Apply one message of the server, as a page would."""
        message: Message = json.loads(text)
        kind = message["type"]
        if kind == "welcome":
            self._welcome(message, reconnected=reconnected)
        if kind in {"welcome", "update"}:
            self.frames.append(text)
            self._show(message)
        if kind in {"welcome", "update", "ping"}:
            self.position = message["position"]
        return message

    def _welcome(self, message: Message, *, reconnected: bool) -> None:
        if reconnected:
            self.recovered.append(message["recovered"])
        if message["recovered"]:
            assert reconnected, "recovered, though no position was given"
            assert message["comments"] == [], "a recovered welcome carries no snapshot"
        if not message["recovered"] or not self.segments:
            self.segments.append(Segment())

    def _show(self, message: Message) -> None:
        segment = self.segments[-1]
        for comment in message.get("comments", ()):
            segment.shown.append(comment["commentID"])
            self.comments[comment["commentID"]] = comment
            if "reactions" in comment:
                self.totals[comment["commentID"]] = comment["reactions"]
        for event in message.get("events", ()):
            if event["type"] == "deleted":
                segment.deleted.add(event["commentID"])
                self.deleted.add(event["commentID"])
        for reaction in message.get("reactions", ()):
            self.totals[reaction["commentID"]] = reaction["reactionCount"]
        self.hearts += message.get("hearts", {}).get("count", 0)
        self.skipped += message.get("skipped", 0)

    @property
    def offset(self) -> int:
        """The next record that was not seen; 0 before there is a position."""
        return int(self.position.partition(":")[2]) if self.position else 0

    @property
    def shown(self) -> list[str]:
        """Ids of the present segment, in order of arrival."""
        return self.segments[-1].shown if self.segments else []


class Stream(Protocol):
    """One open connection: texts of messages, in order; raises `Cut` at the end."""

    async def next_text(self) -> str:
        """Wait for the next message."""
        ...

    async def cut(self) -> None:
        """End the connection without a goodbye."""
        ...


class SocketStream:
    """A WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    @classmethod
    async def open(cls, deployment: Door, video: str, position: str | None) -> "SocketStream":
        """Connect, from a position if there is one."""
        url = deployment.base_url.replace("http://", "ws://") + f"/live/{video}/comments/stream"
        connection = await websockets.connect(
            url + (f"?position={position}" if position else ""),
            subprotocols=[SUBPROTOCOL],
            compression=None,
            ping_interval=None,
            max_size=None,
            proxy=None,
        )
        return cls(connection)

    async def next_text(self) -> str:
        try:
            return await self.connection.recv(decode=True)
        except websockets.ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
            raise Cut(code, closed.rcvd.reason if closed.rcvd else "") from None

    async def send(self, message: Message) -> None:
        """Send a client message."""
        try:
            await self.connection.send(json.dumps(message))
        except websockets.ConnectionClosed as closed:
            raise Cut(closed.rcvd.code if closed.rcvd else None) from None

    async def cut(self) -> None:
        self.connection.transport.abort()
        await self.connection.wait_closed()


class EventStream:
    """Server-sent events; resumes by `Last-Event-ID`."""

    def __init__(self, session: aiohttp.ClientSession, response: aiohttp.ClientResponse) -> None:
        self._session = session
        self._response = response
        self._events = _events(response)

    @classmethod
    async def open(cls, deployment: Door, video: str, position: str | None) -> "EventStream":
        """Connect, from a position if there is one."""
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        headers = {"Accept": "text/event-stream"}
        if position:
            headers["Last-Event-ID"] = position
        url = f"{deployment.base_url}/live/{video}/comments/stream"
        try:
            response = await session.get(url, headers=headers)
            assert response.status == 200, (response.status, await response.read())
            assert response.content_type == "text/event-stream"
        except BaseException:
            await session.close()
            raise
        return cls(session, response)

    async def next_text(self) -> str:
        try:
            kind, identity, text = await anext(self._events)
        except (StopAsyncIteration, aiohttp.ClientError, OSError) as error:
            raise Cut(None, repr(error)) from None
        message = json.loads(text)
        if kind == "closed":  # what a close frame says on a WebSocket
            raise Cut(message["code"], message["reason"])
        assert kind == message["type"], "the event is named after the message"
        assert identity == message["position"], "the event's id is its position"
        return text

    async def cut(self) -> None:
        self._response.close()
        await self._session.close()


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, str, str]]:
    """Read an event stream (WHATWG HTML section 9.2) into (event, id, data)."""
    fields: dict[str, str] = {}
    data: list[str] = []
    buffered = b""
    async for chunk in response.content.iter_any():
        *lines, buffered = (buffered + chunk).split(b"\n")
        for raw in lines:
            line = raw.decode().removesuffix("\r")
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                data.append(value)
            elif name:
                fields[name] = value
            elif not line:  # end of an event; a line that begins with a colon is a comment
                if data:
                    yield fields.get("event", "message"), fields.get("id", ""), "\n".join(data)
                fields, data = {}, []


class Viewer:
    """Follows one video in a task of its own until it is cut or closed."""

    def __init__(
        self,
        deployment: Door,
        video: str,
        *,
        transport: type[SocketStream] | type[EventStream] = SocketStream,
    ) -> None:
        self.seen = Seen()
        self.ended: Cut | None = None
        self._deployment = deployment
        self._video = video
        self._transport = transport
        self._stream: Stream | None = None
        self._task: asyncio.Task[None] | None = None
        self._welcomed = asyncio.Event()

    async def __aenter__(self) -> "Viewer":
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def open(self, position: str | None = None) -> None:
        """Connect and wait for the `welcome`; by default from the last position seen."""
        resume_from = position or self.seen.position
        self._welcomed.clear()
        self.ended = None
        reconnected = resume_from is not None
        self._stream = await self._transport.open(self._deployment, self._video, resume_from)
        self._task = asyncio.create_task(self._follow(self._stream, reconnected=reconnected))
        try:
            async with asyncio.timeout(TIMEOUT.total):
                await self._welcomed.wait()
        except TimeoutError:
            await self.cut()
            raise AssertionError("no welcome came") from None
        if self.ended is not None:
            raise self.ended

    async def _follow(self, stream: Stream, *, reconnected: bool) -> None:
        try:
            while True:
                message = self.seen.take(await stream.next_text(), reconnected=reconnected)
                if message["type"] == "welcome":
                    self._welcomed.set()
                if message["type"] == "ping" and isinstance(stream, SocketStream):
                    await stream.send({"type": "pong"})
        except Cut as cut:
            self.ended = cut
        finally:
            self._welcomed.set()

    async def cut(self) -> None:
        """End the connection without a goodbye, in the middle of whatever comes."""
        if self._stream is None or self._task is None:
            return
        self._task.cancel()
        stream, self._stream = self._stream, None
        [result] = await asyncio.gather(self._task, return_exceptions=True)
        await stream.cut()
        if isinstance(result, Exception):
            raise result

    async def wait_for(
        self, condition: Callable[[Seen], object], *, within: float = 10.0, what: str
    ) -> float:
        """Wait until what was seen fulfils a condition; return how long it took, in seconds."""

        def reached() -> bool:
            if self._task is not None and self._task.done() and not self._task.cancelled():
                error = self._task.exception()
                if error is not None:
                    raise error
            return bool(condition(self.seen))

        return await wait_until(reached, within=within, what=what)

    async def wait_closed(self, *, within: float) -> Cut:
        """Wait until the server has ended the stream."""
        await wait_until(lambda: self.ended is not None, within=within, what="the stream's end")
        assert self.ended is not None
        return self.ended
