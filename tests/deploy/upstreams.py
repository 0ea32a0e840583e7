"""Fake servers behind a real nginx."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Upstream:
    """A server that keeps the head of every request and answers as it was told to."""

    heads: list[str] = field(default_factory=list)
    address: str = ""

    def paths(self) -> list[str]:
        """Return the targets of the requests so far."""
        return [head.split()[1] for head in self.heads]


async def answer_ok(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer 200 and keep the connection."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close without an answer, as a process does that is killed."""
    writer.close()


@asynccontextmanager
async def serving(answer: Answer = answer_ok) -> AsyncIterator[Upstream]:
    """Run an upstream on a port of the system's choice."""
    upstream = Upstream()
    open_writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.add(writer)
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                upstream.heads.append(head)
                await answer(reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        finally:
            open_writers.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    upstream.address = f"{host}:{port}"
    try:
        yield upstream
    finally:
        server.close()
        for writer in list(open_writers):
            writer.close()
        await server.wait_closed()
