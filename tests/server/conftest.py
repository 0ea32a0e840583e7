"""Servers on real sockets, and requests written byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from groundswell.contract.origins import Origins
from groundswell.contract.problems import Refused
from groundswell.contract.settings import ServerSettings
from groundswell.server.app import public_app
from groundswell.server.listener import Listener

Exchange = Callable[..., Awaitable[bytes]]


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def refuse(request: web.Request) -> web.Response:
    retry = request.query.get("retry_after")
    raise Refused(request.match_info["code"], retry_after=None if retry is None else float(retry))


async def fail(_: web.Request) -> web.Response:
    raise RuntimeError("database password is hunter2")


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write_eof(b"streamed")
    return response


ROUTES = [
    web.post("/echo", echo),
    web.get("/refuse/{code}", refuse),
    web.get("/fail", fail),
    web.get("/stream", stream),
]


@pytest.fixture(name="make_app")
def fixture_make_app() -> Callable[..., web.Application]:
    """An application with a few routes, for the given origins."""

    def make(*origins: str) -> web.Application:
        return public_app(ROUTES, settings=ServerSettings(), origins=Origins(origins))

    return make


@pytest.fixture(name="listener")
async def fixture_listener(make_app: Any) -> AsyncIterator[Listener]:
    """The application behind a listener whose deadline for heads is 0.2 s."""
    settings = ServerSettings(header_timeout=0.2)
    listener = Listener(make_app(), host="127.0.0.1", port=0, settings=settings)
    await listener.start()
    yield listener
    await listener.close()


@pytest.fixture(name="exchange")
def fixture_exchange(listener: Listener) -> Exchange:
    """Send pieces of bytes, return everything until the server closes (or `until` came)."""

    async def run(*pieces: bytes, until: bytes | None = None) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if until is None:
                return await asyncio.wait_for(reader.read(), 10)
            return await asyncio.wait_for(reader.readuntil(until), 10)
        finally:
            writer.close()

    return run
