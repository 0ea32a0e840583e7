"""Listening on a port, with deadlines that aiohttp does not have.

A connection must deliver the head of a request within `header_timeout` of being opened, or of the
head's first byte; aiohttp alone would wait for as long as bytes trickle in (slow headers), or for
its keep-alive time if none ever come. Requests that are not HTTP are answered with a problem.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec
from aiohttp import StreamReader, hdrs, web

from groundswell.contract.problems import Refused
from groundswell.contract.settings import ServerSettings
from groundswell.server.app import AROUND
from groundswell.server.latency import AnswerStatistics, Latency
from groundswell.server.problems import problem_response

KEEPALIVE: Final = 75.0  # seconds; longer than the usual 60 of proxies, so that they close first
_LINGER: Final = 2.0  # seconds that the rest of a refused body is read and thrown away
_FINISH: Final = 8.0  # seconds for running requests at the end; an append takes 5 at most
_BACKLOG: Final = 4096  # a crowd that reconnects; the kernel caps it at net.core.somaxconn
_HEAD_BYTES: Final = 8190  # one line of the head: a token is at most 8 KiB
_HEADERS: Final = 64

# Writes nothing: aiohttp only measures where it thinks that somebody logs.
_access: Final = logging.getLogger(__name__)

_TOO_LATE_BODY: Final = msgspec.json.encode(Refused("request_timeout").body())
_TOO_LATE: Final = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/problem+json\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%b"
) % (len(_TOO_LATE_BODY), _TOO_LATE_BODY)


class Door(Protocol):
    """Accepts connections instead of the event loop, and keeps those that it understands."""

    def open(
        self,
        sockets: Sequence[socket.socket],
        *,
        otherwise: Callable[[int, bytes], None],
        patience: float,
        too_late: bytes,
    ) -> None:
        """Accept on listening sockets, which stay the caller's.

        `otherwise` is given the descriptor and the first bytes of every other connection; who
        sends none for `patience` seconds is sent `too_late` and closed.
        """
        ...

    def close(self) -> None:
        """Accept nobody any more. Again: nothing."""
        ...


class Listener:
    """One application on one port. `start`, then `stop_accepting`, then `close`."""

    def __init__(
        self,
        app: web.Application,
        *,
        host: str | None = None,
        port: int = 0,
        path: str | None = None,
        settings: ServerSettings,
        reuse_port: bool = False,
        door: Door | None = None,
    ) -> None:
        """Listen on a port, or at `path` on a Unix socket.

        With `reuse_port` other processes of this user may listen on the port too, and the kernel
        gives each new connection to one of them (SO_REUSEPORT, socket(7)). A `door` stands
        before a port.
        """
        self._app = app
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_FINISH)
        self._host = host
        self._port = port
        self._path = path
        self._settings = settings
        self._reuse_port = reuse_port
        self._latency = Latency()
        self._door = door
        self._server: asyncio.Server | None = None
        self._taking: set[asyncio.Task[Any]] = set()

    @property
    def port(self) -> int:
        """The port that is listened on, also where 0 was asked for."""
        return self._addresses()[0][1]

    @property
    def host(self) -> str:
        """The address that is listened on."""
        return self._addresses()[0][0]

    @property
    def connections(self) -> int:
        """How many connections are open; a stream is none of them."""
        return len(self._runner.server.connections) if self._runner.server is not None else 0

    def statistics(self) -> AnswerStatistics:
        """Return how long answers took, and what they were."""
        return self._latency.statistics()

    async def start(self) -> None:
        """Listen; raises `OSError` if the address is taken."""
        await self._runner.setup()
        manager = self._runner.server
        assert manager is not None, "set by setup()"  # noqa: S101 - tells the type checker
        loop = asyncio.get_running_loop()
        if AROUND in self._app:
            around = self._app[AROUND].wrap(manager.request_handler)
            # aiohttp types it for its base class; what comes is what the application makes.
            manager.request_handler = around  # type: ignore[assignment]

        def protocol(first: bytes = b"") -> DeadlineHandler:
            return DeadlineHandler(
                manager,
                first=first,
                header_timeout=self._settings.header_timeout,
                loop=loop,
                access_log=_access,
                access_log_class=lambda *_: self._latency,  # one for all connections
                keepalive_timeout=KEEPALIVE,
                lingering_time=_LINGER,
                max_line_size=_HEAD_BYTES,
                max_field_size=_HEAD_BYTES,
                max_headers=_HEADERS,
                auto_decompress=False,  # bodies are small; this refuses bombs by construction
            )

        try:
            if self._path is not None:
                self._server = await loop.create_unix_server(protocol, self._path)
            else:
                self._server = await loop.create_server(
                    protocol,
                    self._host,
                    self._port,
                    backlog=_BACKLOG,
                    reuse_port=self._reuse_port or None,  # False is refused where it is unknown
                    start_serving=self._door is None,
                )
                if self._door is not None:
                    self._open(self._door, protocol)
        except OSError:
            await self._runner.cleanup()
            raise

    def stop_accepting(self) -> None:
        """Close the listening sockets; connections that are open stay. Idempotent."""
        if self._door is not None:
            self._door.close()
        if self._server is not None:
            self._server.close()

    def _open(self, door: Door, protocol: Callable[[bytes], asyncio.Protocol]) -> None:
        loop = asyncio.get_running_loop()

        async def take(connection: socket.socket, first: bytes) -> None:
            try:
                await loop.connect_accepted_socket(lambda: protocol(first), connection)
            except OSError:  # it is gone already
                connection.close()

        def otherwise(fd: int, first: bytes) -> None:
            task = loop.create_task(take(socket.socket(fileno=fd), first))
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

        assert self._server is not None, "set by start()"  # noqa: S101 - tells the type checker
        with contextlib.ExitStack() as copies:  # the door has its own
            listening = [
                copies.enter_context(socket.socket(fileno=os.dup(bound.fileno())))
                for bound in self._server.sockets
            ]
            for one in listening:
                one.listen(_BACKLOG)
            door.open(
                listening,
                otherwise=otherwise,
                patience=self._settings.header_timeout,
                too_late=_TOO_LATE,
            )

    async def close(self) -> None:
        """Let running requests finish (each within its own deadlines), then close all."""
        self.stop_accepting()
        await self._runner.cleanup()

    def _addresses(self) -> list[tuple[str, int]]:
        sockets = self._server.sockets if self._server is not None else ()
        if not sockets:
            raise RuntimeError("not listening")
        return [item.getsockname()[:2] for item in sockets if item.family != socket.AF_UNIX]


class DeadlineHandler(web.RequestHandler):
    """aiohttp's connection with a deadline for the head of each request.

    One timer a connection at most: it is set when a head begins and, when it fires, looks whether
    that head is still not there. A request whose head comes in one piece sets none.
    """

    __slots__ = ("_body", "_first", "_head_since", "_header_timeout", "_timer")

    def __init__(
        self, manager: web.Server, *, header_timeout: float, first: bytes, **options: Any
    ) -> None:
        super().__init__(manager, **options)
        self._first = first  # what the door has read
        self._header_timeout = header_timeout
        self._head_since: float | None = None  # loop time; None: no head is under way
        self._body: StreamReader | None = None  # of the last request whose head is complete
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._await_head()
        first, self._first = self._first, b""
        if first:
            self.data_received(first)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._upgraded:
            super().data_received(data)
            return
        body_was_open = self._body is not None and not self._body.is_eof()
        requests = self._request_count
        super().data_received(data)
        if self._request_count != requests:
            self._head_since = None
            self._body = self._messages[-1][1] if self._messages else None
        # aiohttp calls this without data, to go on with what it has buffered.
        elif data and not body_was_open and self._head_since is None and not self._upgraded:
            self._await_head()

    def _await_head(self) -> None:
        self._head_since = self._loop.time()
        if self._timer is None:
            deadline = self._head_since + self._header_timeout
            self._timer = self._loop.call_at(deadline, self._head_is_due)

    def _head_is_due(self) -> None:
        self._timer = None
        if self._head_since is None or self.transport is None:
            return
        deadline = self._head_since + self._header_timeout
        if self._loop.time() < deadline:
            self._timer = self._loop.call_at(deadline, self._head_is_due)
            return
        if self._request_count == 0:  # else an earlier request may still be being answered
            self.transport.write(_TOO_LATE)
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not HTTP. Whoever sends it is not told what our parser thought."""
        if status >= 500:
            self.log_exception("error outside of any handler", exc_info=exc)
        if request.writer is not None and request.writer.output_size > 0:
            raise ConnectionError("a part of the response is sent already")
        response = problem_response(Refused("bad_request" if status < 500 else "internal"))
        # No application was asked, so that its headers are not there; aiohttp would name itself.
        response.headers[hdrs.SERVER] = "groundswell"
        response.force_close()
        return response
