"""The peer for fan-out that python-websockets is: its server, and its `broadcast` for a comment.

It brings no way to publish over HTTP, so comments come to aiohttp on a port beside it, in the same
process. `broadcast` encodes a frame once, and never waits: whose buffer is full gets more of it.
"""

import argparse
import secrets
import sys
from collections import deque

import orjson
import uvloop
from aiohttp import web
from websockets.asyncio.server import ServerConnection, broadcast, serve

from groundswell.bench.peers import listening

# Keepalive is off: viewers that are not parsed answer no ping, and no other peer is pinged either.
SETTINGS = {"compression": None, "ping_interval": None, "backlog": listening.BACKLOG}


class Room:
    """One room for all videos; who comes is sent the last `snapshot` comments in one message."""

    def __init__(self, snapshot: int) -> None:
        self._viewers: set[ServerConnection] = set()
        self._snapshot = snapshot
        self._latest: deque[dict[str, object]] = deque(maxlen=snapshot)

    async def post_comment(self, request: web.Request) -> web.Response:
        """Send the comment to every viewer, then answer 201."""
        comment = orjson.loads(await request.read())
        comment["commentID"] = secrets.token_hex(18)
        self._latest.append(comment)
        broadcast(self._viewers, orjson.dumps(comment).decode())
        answer = {"commentID": comment["commentID"], "status": "success"}
        return web.Response(status=201, body=orjson.dumps(answer), content_type="application/json")

    async def stream(self, viewer: ServerConnection) -> None:
        """Keep a viewer until it leaves; what it sends is read and ignored."""
        if self._snapshot:
            welcome = {"type": "welcome", "comments": list(self._latest)}
            await viewer.send(orjson.dumps(welcome).decode())
        self._viewers.add(viewer)
        try:
            async for _ in viewer:
                pass
        finally:
            self._viewers.discard(viewer)


async def main(*, snapshot: int) -> None:
    """Say `ready PORT PORT` on stdout, of viewers and of posts; serve until it is ended."""
    room = Room(snapshot)
    app = web.Application()
    app.router.add_post("/live/{video}/comments", room.post_comment)
    posts = await listening.listen(app)
    async with serve(room.stream, "127.0.0.1", 0, **SETTINGS) as server:  # type: ignore[arg-type]  # a mapping of options
        sys.stdout.write(f"ready {server.sockets[0].getsockname()[1]} {posts}\n")
        sys.stdout.flush()
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--snapshot", type=int, default=0)
    uvloop.run(main(snapshot=parser.parse_args().snapshot))
