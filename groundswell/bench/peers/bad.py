"""A server that is bad on purpose: what the bench must never let look good.

It is the naive one, and does to each viewer what `--faults` names. Of every `--every` comments it
drops one, holds one back behind the next, and sends one twice, each viewer's own; and it is late
with all. The bench's tests measure it; no figure is taken of it.
"""

import argparse
import asyncio
import secrets
from itertools import count

import orjson
import uvloop
from aiohttp import web

from groundswell.bench.peers.listening import serve

FAULTS = ("late", "drop", "reorder", "twice")
LATE = 0.005  # seconds


class Viewer:
    """One viewer and what is done to it, as it was decided when it came."""

    def __init__(
        self, socket: web.WebSocketResponse, number: int, faults: frozenset[str], every: int
    ) -> None:
        self._socket = socket
        self._offset = number  # so that viewers lose different comments
        self._faults = faults
        self._every = every
        self._sent = 0
        self._held: str | None = None

    async def send(self, text: str) -> None:
        """Send a comment, or do what is this one's turn."""
        turn = (self._sent + self._offset) % self._every
        self._sent += 1
        held, self._held = self._held, None
        if turn == self._every // 4 and "reorder" in self._faults:
            self._held = text
        elif turn != self._every // 2 or "drop" not in self._faults:
            await self._socket.send_str(text)
            if turn == 3 * self._every // 4 and "twice" in self._faults:
                await self._socket.send_str(text)
        if held is not None:
            await self._socket.send_str(held)


class Room:
    """One room for all videos. Comments are sent one after another."""

    def __init__(self, faults: frozenset[str], every: int) -> None:
        self._faults = faults
        self._every = every
        self._viewers: dict[web.WebSocketResponse, Viewer] = {}
        self._numbers = count()
        self._turn = asyncio.Lock()

    async def post_comment(self, request: web.Request) -> web.Response:
        """Answer 201 when it has been sent to all, as it is."""
        comment = orjson.loads(await request.read())
        comment["commentID"] = secrets.token_hex(18)
        text = orjson.dumps(comment).decode()
        async with self._turn:
            if "late" in self._faults:
                await asyncio.sleep(LATE)
            for viewer in tuple(self._viewers.values()):
                await viewer.send(text)
        answer = {"commentID": comment["commentID"], "status": "success"}
        return web.Response(status=201, body=orjson.dumps(answer), content_type="application/json")

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        """Keep a viewer until it leaves."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self._viewers[socket] = Viewer(socket, next(self._numbers), self._faults, self._every)
        try:
            async for _ in socket:
                pass
        finally:
            del self._viewers[socket]
        return socket


def application(faults: frozenset[str], every: int) -> web.Application:
    """Return the application with its two routes."""
    app, room = web.Application(), Room(faults, every)
    app.router.add_post("/live/{video}/comments", room.post_comment)
    app.router.add_get("/live/{video}/comments/stream", room.stream)
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--every", type=int, default=100)
    options = parser.parse_args()
    uvloop.run(serve(application(frozenset(options.faults.split(",")), options.every)))
