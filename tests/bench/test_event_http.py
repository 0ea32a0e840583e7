"""The small HTTP client: answers in pieces, servers that go away, connections in turn."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from groundswell.bench.event_http import LOST, Answer, Clients

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """Run a server for as long as the block lasts; yields its port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def read_request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """Return head and body of one request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
    return head, await reader.readexactly(length)


async def test_a_request_carries_token_and_body_and_its_answer_may_come_in_pieces():
    """The head is cut in its middle, and the body in its own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, body = await read_request(reader)
        assert head.startswith("POST /live/v/comments HTTP/1.1\r\n")
        assert "Authorization: Bearer secret" in head
        for piece in (b"HTTP/1.1 201 Created\r\nContent-", b"Length: 9\r\n\r\ngot ", body):
            writer.write(piece)
            await writer.drain()
        writer.close()

    async with serving(serve) as port:
        clients = Clients([port], connections=1)
        await clients.connect()
        answer = await clients.ask("POST", "/live/v/comments", token="secret", body=b"hello")
        assert answer == Answer(201, b"got hello")
        clients.close()


async def test_a_connection_that_ends_is_an_answer_and_the_next_request_opens_another():
    """Nobody waits for ever for a server that was killed."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await read_request(reader)
        if connections > 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with serving(serve) as port:
        clients = Clients([port], connections=1)
        await clients.connect()
        assert await clients.ask("DELETE", "/x", token="t") == LOST
        assert await clients.ask("DELETE", "/x", token="t") == Answer(200, b"")
        clients.close()


async def test_servers_are_used_in_turn():
    """Half of the connections go to each."""
    names: list[bytes] = []

    def named(name: bytes) -> Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while not reader.at_eof():
                try:
                    await read_request(reader)
                except asyncio.IncompleteReadError:
                    break
                names.append(name)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        return serve

    async with serving(named(b"a")) as first, serving(named(b"b")) as second:
        clients = Clients([first, second], connections=4)
        await clients.connect()
        for _ in range(8):
            await clients.ask("GET", "/", token="t")
        assert sorted(names) == [b"a"] * 4 + [b"b"] * 4
        clients.close()
