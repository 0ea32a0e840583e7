"""The reference for ingest: an aiohttp handler that parses a comment and answers 201.

It stores nothing and checks nothing, so its rate is the most that any aiohttp application reaches
on this machine.
"""

import secrets

import orjson
import uvloop
from aiohttp import web

from groundswell.bench.peers.listening import serve


async def post_comment(request: web.Request) -> web.Response:
    """Answer as the protocol says, with an id that nobody keeps."""
    comment = orjson.loads(await request.read())
    answer = {
        "commentID": secrets.token_hex(18),
        "status": "success",
        "timestamp": comment["commentText"][:24],
    }
    return web.Response(status=201, body=orjson.dumps(answer), content_type="application/json")


def application() -> web.Application:
    """Return the application with its one route."""
    app = web.Application()
    app.router.add_post("/live/{video}/comments", post_comment)
    return app


if __name__ == "__main__":
    uvloop.run(serve(application()))
