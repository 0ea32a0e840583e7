"""What a client sends byte by byte, and what must come of it: cases of a conformance suite.

A conversation goes over a real handshake. Its messages are comments, since this protocol does not
echo: what the gate was given, and who gave it, says what was understood.
"""

import asyncio
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from groundswell.contract.claims import Claims, Role
from tests.broker.harness.author import START_MS
from tests.broker.harness.site import FakeUplink
from tests.broker.harness.wire import DEADLINE_SECONDS, Wire

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MASK = bytes.fromhex("37fa213d")  # of the examples of RFC 6455 section 5.7
AT_ONCE = 32  # conversations
POLL_SECONDS = 0.002
HEARD_SECONDS = 5.0  # for what the gate has not heard yet when the client has its answer
MARK = b"so far"  # pings of the suite itself


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True
) -> bytes:
    """Return a client's frame of RFC 6455 section 5.2, right or wrong."""
    size = len(payload)
    bit = 0x80 if masked else 0
    if size < 126:
        length = bytes((bit | size,))
    elif size < 1 << 16:
        length = struct.pack("!BH", bit | 126, size)
    else:
        length = struct.pack("!BQ", bit | 127, size)
    head = bytes((fin << 7 | rsv << 4 | opcode,)) + length
    if not masked:
        return head + payload
    key = int.from_bytes((MASK * (size // 4 + 1))[:size], "big")
    return head + MASK + (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")


def comment(text: str, *, size: int = 0) -> bytes:
    """Return a message with this text, filled up with white space to so many bytes."""
    message = {"type": "comment", "ref": "r", "commentText": text}
    data = json.dumps(message, ensure_ascii=False).encode()
    assert size == 0 or len(data) <= size
    return data + b" " * (size - len(data))


def close(code: int, reason: bytes = b"") -> bytes:
    """Return a close frame."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def chopped(*frames: bytes, size: int = 1) -> tuple[bytes, ...]:
    """Cut frames into pieces of so many bytes, each written for itself."""
    data = b"".join(frames)
    return tuple(data[at : at + size] for at in range(0, len(data), size))


WAIT = b""  # a piece: until all that was sent before is answered
MARK_FRAME = frame(PING, MARK)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a conversation."""

    heard: tuple[str, ...] = ()  # texts of comments that the gate was given
    errors: tuple[str, ...] = ()  # codes; none where it was closed: the close may overtake them
    pongs: tuple[bytes, ...] = ()
    code: int | None = None  # of the server's close; None: the stream goes on


@dataclass(frozen=True, slots=True)
class Case:
    """Pieces to be sent, and what must come of them."""

    pieces: Sequence[bytes]
    outcome: Outcome
    unfinished: bool = False  # the last piece ends within a frame: nothing may be sent behind it


def case(*pieces: bytes, unfinished: bool = False, **outcome: Any) -> Case:
    """Return a case: its pieces, and the fields of its outcome."""
    return Case(pieces, Outcome(**outcome), unfinished=unfinished)


class Ears(FakeUplink):
    """A gate at which the token is the name of the user."""

    def authenticate(self, token: str, video_id: str) -> Claims:
        return Claims(token, Role.VIEWER, expires_s=START_MS // 1000 + 3600)

    def heard_from(self, user: str) -> tuple[str, ...]:
        return tuple(text for author, text, _, _ in self.posted if author == user)


async def converse(port: int, gate: Ears, cases: Mapping[str, Case]) -> dict[str, Outcome]:
    """Have all conversations with a broker, many at once; return what came of each."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, wanted: Case) -> Outcome:
        async with room:
            return await _talk(port, f"user{number}", wanted)

    found = await asyncio.gather(*(one(*pair) for pair in enumerate(cases.values())))
    expected = [wanted.outcome.heard for wanted in cases.values()]

    def heard() -> list[tuple[str, ...]]:
        return [gate.heard_from(f"user{number}") for number in range(len(cases))]

    try:
        async with asyncio.timeout(HEARD_SECONDS):
            while heard() != expected:  # noqa: ASYNC110 - any condition, not one with an event
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        pass  # the comparison of the outcomes tells
    return {
        name: Outcome(texts, outcome.errors, outcome.pongs, outcome.code)
        for name, texts, outcome in zip(cases, heard(), found, strict=True)
    }


async def _talk(port: int, user: str, wanted: Case) -> Outcome:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    wire = Wire(reader, writer)
    try:
        writer.write(
            b"GET /live/v/comments/stream HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Authorization: Bearer " + user.encode() + b"\r\n\r\n"
        )
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert (await wire.message())["type"] == "welcome"
        return await _exchange(wire, wanted)
    finally:
        wire.close()


async def _exchange(wire: Wire, wanted: Case) -> Outcome:
    answers = _Answers(wire)
    try:
        await _go_through(wire, answers, wanted)
    except (asyncio.IncompleteReadError, ConnectionError):
        answers.code = 0  # it ended without a close
    except TimeoutError:
        answers.errors.append("nothing more came")
    return Outcome(
        errors=() if answers.code else tuple(answers.errors),
        pongs=tuple(answers.pongs),
        code=answers.code,
    )


async def _go_through(wire: Wire, answers: "_Answers", wanted: Case) -> None:
    pieces = [*wanted.pieces] if wanted.unfinished else [*wanted.pieces, WAIT]
    for piece in pieces:
        wire.writer.write(piece or MARK_FRAME)
        try:
            await wire.writer.drain()
        except ConnectionError:
            break
        if piece == WAIT and not await answers.until_mark():
            break
    else:
        if wanted.unfinished:
            await answers.until_mark()
        elif answers.waits_for(wanted.outcome):
            await answers.until_all(wanted.outcome)


class _Answers:
    """Reads what the server sends."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.errors: list[str] = []
        self.pongs: list[bytes] = []
        self.acks = 0
        self.code: int | None = None

    def waits_for(self, outcome: Outcome) -> bool:
        """Tell whether answers are still to come: they may be behind a pong."""
        return (len(outcome.errors), len(outcome.heard)) != (len(self.errors), self.acks)

    async def until_all(self, outcome: Outcome) -> None:
        while self.waits_for(outcome):
            await self._next()

    async def until_mark(self) -> bool:
        """Read to the pong of our own ping; False: the stream was closed."""
        while await self._next() != MARK:
            if self.code is not None:
                return False
        return True

    async def _next(self) -> bytes | None:
        """Take one frame; returns the payload of a pong. Behind a close nothing may come."""
        opcode, payload = await self._wire.frame()
        if opcode == PONG:
            if payload != MARK:
                self.pongs.append(payload)
            return payload
        if opcode == CLOSE:
            self.code = int.from_bytes(payload[:2], "big")
            self._wire.writer.write(frame(CLOSE, payload[:2]))
            async with asyncio.timeout(DEADLINE_SECONDS):
                assert await self._wire.reader.read() == b"", "there was more behind the close"
        elif opcode == TEXT:
            message = json.loads(payload)
            if message["type"] == "error":
                self.errors.append(message["code"])
            self.acks += message["type"] == "ack"
        return None
