"""Crowds of sockets that do what no client does: each is closed in its time, nobody notices.

On both planes, in one process whose memory can be told. How exact the deadlines are is held in
`tests/broker`, where the time is a test's own.
"""

import asyncio
import contextlib
import resource
import select
import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from groundswell.contract import close_codes
from tests.acceptance.harness.bystander import undisturbed
from tests.acceptance.harness.client import connect
from tests.acceptance.harness.deploying import Deploy, Figure
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.scale import scaled
from tests.acceptance.harness.viewers import Viewer
from tests.acceptance.harness.waiting import POLL_S
from tests.acceptance.harness.wire import TEXT, Wire, frame

pytestmark = [
    pytest.mark.stack,
    pytest.mark.embedded_only("about the memory of one process, and its own deadlines"),
]

IDLE = scaled(500, full=5000)
DEAF = scaled(100, full=1000)
DRIBBLING = scaled(20, full=100)
EACH_KIB = 256  # of memory, at most
ENDED_WITHIN_S = 60.0  # some seconds on a machine that has nothing else to do
AT_ONCE = 100  # connections that are being made
BURST = 20  # comments on their way at once
EACH_POSTS = 20  # comments: 600 KB together, where buffers take some 200
LARGE = "\u6f22" * 500  # 1.5 KB, that buffers fill
UPGRADE = (
    b"GET /live/deaf/comments/stream HTTP/1.1\r\nHost: test.invalid\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture(params=["asyncio", "native"])
def plane(request: pytest.FixtureRequest) -> str:
    """What moves frames to sockets."""
    return str(request.param)


class Crowd:
    """Sockets to one server, and which of them it has ended."""

    def __init__(self, server: Deployment) -> None:
        parts = urlsplit(server.base_url)
        self._address = (parts.hostname, parts.port)
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}

    async def open(self, count: int, *, receive_bytes: int | None = None) -> None:
        """Connect so many more, without holding up who else uses the loop."""
        while count > 0:
            await asyncio.gather(*(self._open(receive_bytes) for _ in range(min(count, AT_ONCE))))
            count -= AT_ONCE

    async def _open(self, receive_bytes: int | None) -> None:
        one = socket.socket()
        one.settimeout(0)
        self._sockets[one.fileno()] = one
        if receive_bytes is not None:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        await asyncio.get_running_loop().sock_connect(one, self._address)
        # Ended in either direction; what comes to be read is let lie.
        self._poll.register(one, select.EPOLLRDHUP)

    def say(self, data: bytes) -> None:
        """Send something on all that are still open."""
        for one in self._sockets.values():
            with contextlib.suppress(OSError):
                one.send(data)

    def forget_ended(self) -> int:
        """Close those that the server has ended; return how many are left."""
        for fd, _ in self._poll.poll(0, maxevents=max(1, len(self._sockets))):
            self._poll.unregister(fd)
            self._sockets.pop(fd).close()
        return len(self._sockets)

    async def wait_ended(self, *, meanwhile: Callable[[], None]) -> float:
        """Wait until the server has ended all; return how long that took, in seconds."""
        began = time.monotonic()
        while left := self.forget_ended():
            waited = time.monotonic() - began
            assert waited < ENDED_WITHIN_S, f"{left} are open after {waited:.1f} s"
            meanwhile()
            await asyncio.sleep(POLL_S)
        return time.monotonic() - began

    def close(self) -> None:
        for one in self._sockets.values():
            one.close()
        self._poll.close()


@pytest.fixture
def make_crowd() -> Iterator[Callable[[Deployment], Crowd]]:
    """Crowds that leave at the end; this process may have as many files as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowds: list[Crowd] = []

    def make(server: Deployment) -> Crowd:
        crowds.append(Crowd(server))
        return crowds[-1]

    yield make
    for crowd in crowds:
        crowd.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_sockets_that_bring_no_request_are_closed(
    deploy: Deploy, make_crowd: Callable[[Deployment], Crowd], plane: str, figure: Figure
) -> None:
    """Half of them say nothing, half an octet of an endless head again and again."""
    server = deploy(stream_plane=plane, server_header_timeout="4")
    async with connect(server) as client, undisturbed(server, client, "bystander"):
        silent, slow = make_crowd(server), make_crowd(server)
        before = server.memory_kib()
        await silent.open(IDLE // 2)
        await slow.open(IDLE // 2)
        slow.say(b"GET /live/v/comments/stream HTTP/1.1\r\nHost: test.invalid\r\nX-Slow: ")
        each = (server.memory_kib() - before) / IDLE
        figure("KiB each", round(each, 1))
        assert each < EACH_KIB
        seconds = await slow.wait_ended(meanwhile=lambda: slow.say(b"a"))
        figure("seconds until all slow heads were closed", round(seconds, 1))
        await silent.wait_ended(meanwhile=lambda: None)


async def test_frames_that_come_octet_by_octet_cost_little_and_are_not_waited_for(
    deploy: Deploy, plane: str, figure: Figure
) -> None:
    """Packets of one octet of a message of 16 KB: under 256 KB each, and 4009."""
    server = deploy(stream_plane=plane, stream_message_timeout="2")
    half = iter(frame(b"x" * 16_384, opcode=TEXT)[:8_000])
    async with (
        connect(server) as client,
        undisturbed(server, client, "bystander"),
        contextlib.AsyncExitStack() as stack,
    ):
        wires = [await stack.enter_async_context(await Wire.open(server)) for _ in range(DRIBBLING)]
        for wire in wires:
            assert (await wire.upgrade("dribbled")).status == 101
        before = server.memory_kib()
        ends = asyncio.gather(*(wire.close_code() for wire in wires))
        most = 0
        began = time.monotonic()
        for octet in half:
            for wire in wires:
                wire.writer.write(bytes((octet,)))
            most = max(most, server.memory_kib() - before)
            await asyncio.sleep(0)
            if ends.done():
                break
        assert set(await ends) == {close_codes.IDLE.code}
        figure("seconds until all were closed", round(time.monotonic() - began, 1))
        figure("KiB each", round(most / DRIBBLING, 1))
        assert most / DRIBBLING < EACH_KIB


async def test_a_crowd_that_never_reads_is_cut(
    deploy: Deploy, make_crowd: Callable[[Deployment], Crowd], plane: str, figure: Figure
) -> None:
    """5 s after comments have filled their buffers; who reads gets everything."""
    server = deploy(stream_plane=plane)
    async with (
        connect(server) as client,
        undisturbed(server, client, "bystander"),
        Viewer(server, "deaf") as reader,
    ):
        crowd = make_crowd(server)
        before = server.memory_kib()
        await crowd.open(DEAF, receive_bytes=4096)
        crowd.say(UPGRADE)

        async def pour() -> None:
            for _ in range(EACH_POSTS):
                assert (await client.post_comment("deaf", "ada", LARGE)).status == 201

        pouring = asyncio.gather(*(pour() for _ in range(BURST)))
        grown = 0

        def watch() -> None:
            nonlocal grown
            grown = max(grown, server.memory_kib() - before)

        try:
            seconds = await crowd.wait_ended(meanwhile=watch)
        finally:
            await pouring
        figure("seconds until all were cut", round(seconds, 1))
        figure("KiB each", round(grown / DEAF, 1))
        assert grown < DEAF * EACH_KIB
        await reader.wait_for(lambda seen: len(seen.comments) == EACH_POSTS * BURST, what="all")
        assert len(reader.seen.segments) == 1
