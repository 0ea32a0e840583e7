"""Target: heads of requests on their way to a stream, through the listener, in memory.

Whatever comes, the answers are of the protocol, and an upgrade or a stream of events that is
granted is one that the request asked for and that RFC 6455 section 4.2 allows. The door, which
reads heads itself, grants nothing that aiohttp would not.
"""

import asyncio
import base64
import hashlib
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from groundswell.broker.handshake import Handshake
from groundswell.broker.plane import Variant
from groundswell.broker.stream_request import StreamRequest
from groundswell.cext._request import parse_stream_request
from groundswell.contract.origins import Origins
from groundswell.contract.ports.uplink import Origin
from groundswell.contract.problems import Refused
from groundswell.contract.settings import ServerSettings, StreamSettings
from groundswell.server.app import public_app
from groundswell.server.listener import Listener
from tests.broker.harness.site import FakeUplink

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
REFUSALS = {400, 401, 403, 404, 405, 408, 411, 413, 415, 426}
HEAD = 1  # bytes of an input before the request: the length of the pieces that it comes in
TURNS = 20  # of the loop, at most, until an answer is there
LINE = re.compile(rb"[A-Za-z-]+: [^\r\n]*")
KEY = re.compile(rb"(?i)\nsec-websocket-key[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?\n")
ANSWER = re.compile(rb"HTTP/\d\.\d (\d{3}) [^\r\n]*\r\n(?:[^\r\n]+\r\n)*?\r\n")
LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)\r\n")


class Pipe(asyncio.Transport):
    """The server's end of a connection; what is written stays here."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 5), "sockname": ("192.0.2.2", 80)})
        self.written = bytearray()
        self.ended = False

    def write(self, data: Any) -> None:
        self.written += data

    def writelines(self, list_of_data: Any) -> None:
        for data in list_of_data:
            self.written += data

    def close(self) -> None:
        self.ended = True

    abort = close

    def is_closing(self) -> bool:
        return self.ended

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """There is nothing to pause: the whole input is fed by hand."""

    resume_reading = pause_reading


class Adopting:
    """A plane that remembers the one connection which was handed to it."""

    def __init__(self) -> None:
        self.adopted: list[tuple[Variant, bytes, bytes]] = []

    def adopt(
        self,
        transport: asyncio.Transport,
        *,
        variant: Variant,
        begin: Callable[[int], None],
        head: bytes = b"",
        leftover: bytes = b"",
        auth_within: float | None = None,
        deflate: bool = False,
    ) -> None:
        self.adopted.append((variant, head, leftover))


class Requests:
    """Input: the length of the pieces (0: uncut), and what a client sends."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._failures: list[dict[str, Any]] = []
        self._loop = self._runner.get_loop()
        self._loop.set_exception_handler(lambda _, context: self._failures.append(context))
        self._plane = Adopting()
        uplink = FakeUplink()
        handshake = Handshake(
            plane=self._plane,  # type: ignore[arg-type]  # all that a handshake uses of one
            sessions=None,  # type: ignore[arg-type]  # nobody begins
            uplink=uplink,
            settings=StreamSettings(),
            auth_required=False,
            origins=Origins(["https://page.example"]),
            origin_of=lambda request: Origin("192.0.2.1"),
        )
        self._handshake = handshake
        self._uplink = uplink
        route = web.get("/live/{videoID}/comments/stream", handshake.stream, allow_head=False)
        app = public_app([route], settings=ServerSettings(), origins=Origins(["*"]))
        self._folder = tempfile.TemporaryDirectory()
        path = str(Path(self._folder.name) / "socket")
        self._listener = Listener(app, path=path, settings=ServerSettings())
        self._runner.run(self._listener.start())
        # asyncio keeps it private; a listener makes its connections in no other way.
        self._make: Callable[[], Any] = self._listener._server._protocol_factory  # type: ignore[union-attr]

    def __call__(self, data: bytes) -> None:
        if len(data) < HEAD:
            return
        self._plane.adopted.clear()
        stream = data[HEAD:]
        written, fed = self._loop.run_until_complete(self._exchange(stream, data[0] or len(data)))
        assert not self._failures, self._failures
        statuses = answers(written)
        assert set(statuses) <= REFUSALS, written
        assert len(self._plane.adopted) <= 1
        for variant, head, leftover in self._plane.adopted:
            assert stream[:fed].endswith(leftover)
            check_grant(variant, head, stream[: fed - len(leftover)])
        if data[0] == 0 and (granted := self._granted_in_the_door(stream)) is not None:
            assert self._plane.adopted == [granted]

    def _granted_in_the_door(self, stream: bytes) -> tuple[Variant, bytes, bytes] | None:
        """Return what the door would make of it: nothing that aiohttp would not."""
        parsed = parse_stream_request(stream)
        if parsed is None or not self._uplink.knows_video(parsed[0]):
            return None
        video_id, position, leftover, fields = parsed
        try:
            opening = self._handshake.open(StreamRequest(video_id, position, *fields))
        except Refused:
            return None
        if leftover and opening.variant is Variant.SSE:
            return None
        return opening.variant, opening.head, leftover

    def close(self) -> None:
        """Close the listener and its loop."""
        self._runner.run(self._listener.close())
        self._runner.close()
        self._folder.cleanup()

    async def _exchange(self, stream: bytes, step: int) -> tuple[bytes, int]:
        """Feed a connection; return what is answered and how much was read until then."""
        pipe, handler = Pipe(), self._make()
        handler.connection_made(pipe)
        fed = 0
        while fed < len(stream):
            if pipe.ended or self._plane.adopted:
                break
            piece = stream[fed : fed + step]
            fed += len(piece)
            handler.data_received(piece)
            await asyncio.sleep(0)
        for _ in range(TURNS):
            if pipe.ended or pipe.written or self._plane.adopted:
                break
            await asyncio.sleep(0)
        if not self._plane.adopted:
            handler.connection_lost(None)
        # The server would read the rest of a refused body for a while.
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            await asyncio.wait([task])
        return bytes(pipe.written), fed


def answers(written: bytes) -> list[int]:
    """Return the status of each whole answer; what is no answer fails."""
    statuses, at = [], 0
    while at < len(written):
        head = ANSWER.match(written, at)
        assert head, written[at:]
        statuses.append(int(head[1]))
        length = LENGTH.search(head[0])
        assert length, head[0]
        at = head.end() + int(length[1])
    return statuses


def check_grant(variant: Variant, head: bytes, request: bytes) -> None:
    """Check the head that a stream begins with against the request as it came."""
    status, *lines, end, rest = head.split(b"\r\n")
    assert (end, rest) == (b"", b"")
    assert all(LINE.fullmatch(line) for line in lines), head
    if variant is Variant.SSE:
        assert status == b"HTTP/1.1 200 OK"
        assert b"text/event-stream" in request.lower()
        return
    assert status == b"HTTP/1.1 101 Switching Protocols"
    keys = KEY.findall(request)
    accepts = [base64.b64encode(hashlib.sha1(key + GUID).digest()) for key in keys]  # noqa: S324 - section 4.2.2
    given = [line for line in lines if line.startswith(b"Sec-WebSocket-Accept: ")]
    assert len(given) == 1
    # Section 11.3.1: once and not more.
    assert accepts == [given[0].split(b": ")[1]]
    assert len(base64.b64decode(keys[0], validate=True)) == 16
    # Section 4.2.1: of HTTP/1.1 or higher.
    assert re.match(rb"GET [^ ]+ HTTP/(1\.1|2\.0)\r?\n", request.lstrip(b"\r\n")), request
    assert re.search(rb"(?i)\nupgrade[ \t]*:[ \t]*websocket", request)
    assert len(re.findall(rb"(?i)\nsec-websocket-version[ \t]*:[ \t]*13[ \t]*\r?\n", request)) == 1
