"""The C tools, compiled once, and small servers that say exactly what they sent and got."""

import base64
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from groundswell.bench import tokens
from groundswell.bench.native_tools import Tools, compile_tools
from groundswell.bench.run import Run

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """The tools, compiled with every warning an error."""
    return compile_tools(tmp_path_factory.mktemp("tools"), extra_flags=("-Werror",))


@pytest.fixture
def secret() -> str:
    """What tokens are signed with."""
    return tokens.make_secret()


@pytest.fixture
def token_file(tmp_path: Path, secret: str) -> Path:
    """Tokens of three users."""
    path = tmp_path / "tokens"
    tokens.write_tokens(path, secret=secret, users=3)
    return path


@pytest.fixture
def run(tools: Tools, token_file: Path, secret: str) -> Run:
    """A short run on whatever cores are free."""
    return Run(
        tools=tools,
        seconds=0.3,
        secret=secret,
        tokens=token_file,
        writers=3,
        server_core=None,
        client_core=None,
    )


class Connection:
    """The server's end of one connection, read and written by blocking calls."""

    def __init__(self, plain: socket.socket, number: int) -> None:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(20)
        self._plain = plain
        self.number = number  # 0 for the first that came

    def send(self, data: bytes) -> None:
        """Send all of it at once."""
        self._plain.sendall(data)

    def read(self, count: int) -> bytes:
        """Return so many bytes, fewer where the peer has left."""
        got = b""
        while len(got) < count and (data := self._plain.recv(count - len(got))):
            got += data
        return got

    def read_head(self) -> str:
        """Return a request's head; empty where the peer has left."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self._plain.recv(1)
            if not byte:
                return ""
            head += byte
        return head.decode()

    def upgrade_response(self) -> bytes:
        """Read a WebSocket handshake and return the response to it."""
        key = self.read_head().partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]
        digest = hashlib.sha1(key.encode() + MAGIC, usedforsecurity=False).digest()
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )

    def read_to_end(self) -> bytes:
        """Say that nothing more comes, and return what the peer sends until it leaves."""
        self._plain.shutdown(socket.SHUT_WR)
        got = b""
        while data := self._plain.recv(65536):
            got += data
        return got


class Server:
    """Serves every connection in a thread of its own until `close`."""

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._serving: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                plain = self._listener.accept()[0]
            except OSError:  # shut down by close()
                return
            thread = threading.Thread(target=self._run, args=(plain, len(self._serving)))
            self._serving.append(thread)
            thread.start()

    def _run(self, plain: socket.socket, number: int) -> None:
        with plain:
            self._serve(Connection(plain, number))

    def wait_served(self, *, within: float = 20.0) -> None:
        """Wait until every connection that was accepted is done with."""
        deadline = time.monotonic() + within
        for thread in self._serving:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), "a connection is still being served"

    def close(self) -> None:
        """Stop listening and wait for all threads."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        self.wait_served()


@pytest.fixture
def serving() -> Iterator[Callable[[Callable[[Connection], None]], Server]]:
    """Start servers that are closed with the test."""
    servers = []

    def start(serve: Callable[[Connection], None]) -> Server:
        servers.append(Server(serve))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
