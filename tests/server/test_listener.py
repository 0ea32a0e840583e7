"""Deadlines of a connection, and what is not HTTP."""

import asyncio
import contextlib
import tempfile
from typing import Any

import pytest
from aiohttp import ClientConnectorError, ClientSession, UnixConnector, web

from groundswell.contract.settings import ServerSettings
from groundswell.server.listener import Listener

GOOD = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"


def elapsed(started: float) -> float:
    return asyncio.get_running_loop().time() - started


async def test_a_connection_that_sends_nothing_is_closed(exchange: Any) -> None:
    """An idle socket costs something only for as long as a head may take."""
    started = asyncio.get_running_loop().time()
    answer = await exchange()
    assert b" 408 " in answer
    assert 0.15 < elapsed(started) < 5


async def test_a_head_that_trickles_in_is_closed(listener: Listener) -> None:
    """Bytes do not extend the deadline: it counts from the first one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    started = asyncio.get_running_loop().time()
    closed = asyncio.create_task(reader.readline())
    head = b"GET /echo HTTP/1.1\r\n" + b"X-A: b\r\n" * 100
    for index in range(len(head)):
        writer.write(head[index : index + 1])
        done, _ = await asyncio.wait([closed], timeout=0.02)
        if done:
            break
    assert elapsed(started) < 2
    assert b" 408 " in await closed
    with contextlib.suppress(ConnectionResetError):  # what was sent meanwhile nobody read
        await asyncio.wait_for(reader.read(), 10)
    writer.close()


async def test_a_second_head_that_trickles_in_is_closed(listener: Listener) -> None:
    """A good request first buys no time for a bad one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(GOOD)
    assert (await reader.readuntil(b"hi")).startswith(b"HTTP/1.1 200")
    writer.write(b"GET /ec")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_an_idle_connection_between_requests_is_kept(listener: Listener) -> None:
    """Keep-alive is longer than the deadline of a head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    rest = asyncio.create_task(reader.readuntil(b"hi"))
    writer.write(GOOD)
    await rest
    silence = asyncio.create_task(reader.read(1))
    done, _ = await asyncio.wait([silence], timeout=0.5)  # more than two deadlines
    assert not done
    writer.write(GOOD)
    assert await asyncio.wait_for(silence, 10) == b"H"
    writer.close()


async def test_a_slow_body_is_no_slow_head(listener: Listener) -> None:
    """Bodies have a deadline of their own, set by who reads them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(GOOD[:-1])
    silence = asyncio.create_task(reader.readuntil(b"hi"))
    done, _ = await asyncio.wait([silence], timeout=0.5)
    assert not done
    writer.write(b"i")
    assert (await asyncio.wait_for(silence, 10)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_pipelined_requests_are_answered_in_order(exchange: Any) -> None:
    """Heads that come together are all complete."""
    answer = await exchange(GOOD + GOOD.replace(b"hi", b"ho"), until=b"ho")
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.index(b"hi") < answer.index(b"ho")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50 + b"\r\n\r\n",  # TLS
        b"NOT HTTP\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nhi",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\nhi",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1_0\r\n\r\n0123456789",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, x\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    ],
)
async def test_what_is_not_http_is_answered_with_a_problem(
    exchange: Any, request_bytes: bytes
) -> None:
    """400 in our form, without the parser's text, and the connection ends."""
    answer = await exchange(request_bytes)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")), answer[:200]
    assert b"application/problem+json" in answer
    assert b'"bad_request"' in answer
    assert answer.count(b"HTTP/1.") == 1
    assert b"Server: groundswell\r\n" in answer, "and not the name of a library"


async def test_new_connections_are_refused_while_old_ones_are_served(listener: Listener) -> None:
    """Draining: `stop_accepting` leaves open connections alone."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(GOOD)
    await reader.readuntil(b"hi")
    port = listener.port
    listener.stop_accepting()
    async with ClientSession() as session:
        with pytest.raises(ClientConnectorError):
            await session.get(f"http://127.0.0.1:{port}/stream")
    writer.write(GOOD)
    assert (await asyncio.wait_for(reader.readuntil(b"hi"), 10)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_closing_waits_for_a_request_that_is_being_answered() -> None:
    """A running request gets its answer."""
    entered, released = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        entered.set()
        await released.wait()
        return web.Response(text="done")

    app = web.Application()
    app.router.add_get("/", slow)
    listener = Listener(app, host="127.0.0.1", port=0, settings=ServerSettings())
    await listener.start()
    async with ClientSession() as session:
        url = f"http://{listener.host}:{listener.port}/"
        answer = asyncio.create_task(session.get(url))
        await entered.wait()
        closing = asyncio.create_task(listener.close())
        await asyncio.sleep(0)
        released.set()
        assert await (await answer).text() == "done"
        await closing


async def test_a_taken_port_is_an_os_error(listener: Listener, make_app: Any) -> None:
    """The operator is told by the usual exception, and nothing stays behind."""
    second = Listener(make_app(), host="127.0.0.1", port=listener.port, settings=ServerSettings())
    with pytest.raises(OSError, match="address already in use"):
        await second.start()


async def test_listeners_may_share_a_port_if_both_say_so(make_app: Any) -> None:
    """Workers of one server do; the kernel chooses which one gets a connection."""
    first = Listener(
        make_app(), host="127.0.0.1", port=0, settings=ServerSettings(), reuse_port=True
    )
    await first.start()
    shared = {"host": "127.0.0.1", "port": first.port, "settings": ServerSettings()}
    second = Listener(make_app(), **shared, reuse_port=True)
    await second.start()
    third = Listener(make_app(), **shared)
    with pytest.raises(OSError, match="address already in use"):
        await third.start()
    await first.close()
    url = f"http://127.0.0.1:{second.port}/stream"
    async with ClientSession() as session, session.get(url) as answer:
        assert await answer.read() == b"streamed"
    await second.close()


async def test_a_unix_socket_is_served_like_a_port(make_app: Any) -> None:
    """The internal port of a worker is one."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/internal"
        listener = Listener(make_app(), path=path, settings=ServerSettings())
        await listener.start()
        session = ClientSession(connector=UnixConnector(path))
        async with session, session.get("http://worker/stream") as answer:
            assert await answer.read() == b"streamed"
        await listener.close()


async def test_answers_are_counted_by_method_and_status_and_streams_are_not(
    listener: Listener,
) -> None:
    """Refusals included; a method that the protocol does not have is no label."""
    url = f"http://127.0.0.1:{listener.port}"
    async with ClientSession() as session:
        for method, path in (
            ("POST", "/echo"),
            ("POST", "/echo"),
            ("GET", "/refuse/rate_limited"),
            ("GET", "/stream"),
            ("PUT", "/echo"),
        ):
            async with session.request(method, url + path, data=b"") as answer:
                await answer.read()
    statistics = listener.statistics()
    counts = {method: h.cumulated()[-1] for method, h in statistics.seconds_by_method.items()}
    assert counts == {"POST": 2, "GET": 1, "DELETE": 0, "other": 1}
    assert statistics.answers_by_status == {200: 2, 429: 1, 405: 1}
