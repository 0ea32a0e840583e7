"""Raw sockets: for everything that a well-behaved client library would never send."""

import asyncio
import base64
import json
import os
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.acceptance.harness.deployment import Door

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
PATIENCE_S = 10.0
BUFFER_BYTES = 1 << 16  # of a stream reader that is not read from


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """A raw HTTP answer; status 0 where the connection was closed without one."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        """The stable code of a problem, None where the body is none."""
        if not self.headers.get("content-type", "").startswith("application/problem+json"):
            return None
        return str(json.loads(self.body)["code"])


class Wire:
    """One TCP connection to the public port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, deployment: Door, *, receive_bytes: int | None = None) -> "Wire":
        """Connect; with `receive_bytes` little is taken in while nobody reads."""
        parts = urlsplit(deployment.base_url)
        connection = socket.socket()
        connection.settimeout(0)
        if receive_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        await asyncio.get_running_loop().sock_connect(connection, (parts.hostname, parts.port))
        limit = receive_bytes or BUFFER_BYTES
        return cls(*await asyncio.open_connection(sock=connection, limit=limit))

    async def __aenter__(self) -> "Wire":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    async def send(self, data: bytes) -> None:
        """Send bytes; a peer that is gone already is found out by reading."""
        self.writer.write(data)
        try:
            await self.writer.drain()
        except ConnectionError:
            return

    async def read_answer(self) -> RawAnswer:
        """Read one HTTP answer."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                head = await self.reader.readuntil(b"\r\n\r\n")
                status_line, *lines = head.decode("latin-1").split("\r\n")
                pairs = (line.partition(":") for line in lines if line)
                headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
                body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        except (asyncio.IncompleteReadError, ConnectionError):
            return RawAnswer(0, {}, b"")
        return RawAnswer(int(status_line.split()[1]), headers, body)

    async def upgrade(
        self, video: str, *, query: str = "", headers: Mapping[str, str] | None = None
    ) -> RawAnswer:
        """Ask for a WebSocket and read the answer; 101 where it was granted."""
        lines = {
            "Host": "test.invalid",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        } | dict(headers or {})
        head = f"GET /live/{video}/comments/stream{query} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        await self.send(head.encode() + b"\r\n")
        return await self.read_answer()

    async def send_frame(
        self, payload: bytes, *, opcode: int = TEXT, fin: int = 1, rsv: int = 0, masked: bool = True
    ) -> None:
        """Send one frame (RFC 6455 section 5.2), right or wrong."""
        await self.send(frame(payload, opcode=opcode, fin=fin, rsv=rsv, masked=masked))

    async def send_message(self, message: object) -> None:
        """Send a JSON message."""
        await self.send_frame(json.dumps(message).encode())

    async def read_frame(self) -> tuple[int, bytes]:
        """Read one frame: (opcode, payload); (CLOSE, b"") where the connection just ends."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                first, length = await self.reader.readexactly(2)
                if length == 126:
                    (length,) = struct.unpack("!H", await self.reader.readexactly(2))
                elif length == 127:
                    (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
                return first & 0x0F, await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return CLOSE, b""

    async def read_message(self, *kinds: str) -> dict[str, Any]:
        """Read until a message of one of these types comes."""
        while True:
            opcode, payload = await self.read_frame()
            assert opcode != CLOSE, f"closed while waiting for {kinds}: {payload!r}"
            if opcode == TEXT:
                message: dict[str, Any] = json.loads(payload)
                if message["type"] in kinds:
                    return message

    async def close_code(self) -> int | None:
        """Read until the close frame and return its code; None: the connection just ended."""
        while True:
            opcode, payload = await self.read_frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big") if len(payload) >= 2 else None


def frame(payload: bytes, *, opcode: int, fin: int = 1, rsv: int = 0, masked: bool = True) -> bytes:
    """Build a client frame."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    mask_bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mask_bit | len(payload)])
    elif len(payload) < 1 << 16:
        head += struct.pack("!BH", mask_bit | 126, len(payload))
    else:
        head += struct.pack("!BQ", mask_bit | 127, len(payload))
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
