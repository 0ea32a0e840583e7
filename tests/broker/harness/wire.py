"""The client's end of a connection, and the owner's end of a plane."""

import asyncio
import json
import zlib
from collections.abc import Callable, Sequence
from typing import Any

DEADLINE_SECONDS = 20.0


class Events:
    """What a plane told its owner."""

    def __init__(self) -> None:
        self.texts: list[tuple[int, bytes]] = []
        self.closes: list[tuple[int, int]] = []
        self.behinds: list[int] = []
        self.on_behind: Callable[[int], None] = lambda handle: None

    def messages(self, batch: Sequence[tuple[int, bytes]]) -> None:
        self.texts += batch

    def closed(self, batch: Sequence[tuple[int, int]]) -> None:
        self.closes += batch

    def behind(self, handle: int) -> None:
        self.behinds.append(handle)
        self.on_behind(handle)


class Wire:
    """The client's end of a connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.seen = b""  # of server-sent events
        self.frames = 0
        self.deflated = 0  # of them (RFC 7692)

    def send(self, opcode: int, payload: bytes, *, masked: bool = True, fin: bool = True) -> None:
        """Write one frame; the mask is of zeros, so the payload travels as it is."""
        first = (0x80 if fin else 0) | opcode
        size = len(payload)
        length = bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
        head = bytes((first, length[0] | (0x80 if masked else 0))) + length[1:]
        self.writer.write(head + (bytes(4) if masked else b"") + payload)

    def say(self, message: object) -> None:
        self.send(1, message if isinstance(message, bytes) else json.dumps(message).encode())

    async def frame(self) -> tuple[int, bytes]:
        """Read one frame; inflates it, with what its own message brought alone."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            first, size = await self.reader.readexactly(2)
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await self.reader.readexactly(8), "big")
            payload = await self.reader.readexactly(size)
        self.frames += 1
        if first & 0x40:
            self.deflated += 1
            payload = zlib.decompress(payload + b"\x00\x00\xff\xff\x03\x00", wbits=-12)
        return first & 0x0F, payload

    async def message(self) -> Any:
        """Read the next text message, over control frames."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 1:
                return json.loads(payload)

    async def close_code(self) -> tuple[int, str]:
        """Read until the close frame; answers it."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 8:
                self.send(8, payload[:2])
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    async def read_until(self, text: bytes) -> bytes:
        """Read a stream of bytes until it has this text."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while text not in self.seen:
                data = await self.reader.read(65536)
                assert data, f"ended before {text!r}: {self.seen[-200:]!r}"
                self.seen += data
        return self.seen

    def close(self) -> None:
        self.writer.close()
