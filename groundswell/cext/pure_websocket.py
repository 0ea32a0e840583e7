"""The pure Python twin of `_parser.pyx` and `_websocket.pyx`; their contracts stand here.

The same state machine in the same order: START -> (LENGTH) -> MASK -> PAYLOAD -> START. Change
both. UTF-8 is left to CPython's decoder here, which makes it a check of the native one.
"""

import codecs
from enum import Enum, auto
from typing import Final

from groundswell.cext import rfc6455

_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


class _Stage(Enum):
    START = auto()  # first two octets of a frame head
    LENGTH = auto()  # its extended length
    MASK = auto()  # its masking key
    PAYLOAD = auto()


class _Failure(Exception):
    """The client broke a rule; the connection closes with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code: Final = code


class Parser:
    """Reads the frames of one client (RFC 6455), without I/O.

    Every rule is checked as soon as the octets that break it are there, so the outcome does not
    depend on how the stream was cut, and no announced length is held before it was found within
    the limits. Not thread-safe.

    Args:
        message_bytes: largest message, over all its fragments; 1 to 2^31 - 1.
        max_fragments: most frames of one message; 1 to 2^31 - 1.
        binary: take binary messages too; without it one is answered with 1003.
        deflate: take deflated messages too (RFC 7692 was negotiated); they come out as they are,
            with `rfc6455.RSV1` in their opcode, and their text is not checked.

    Raises:
        ValueError: a limit is out of bounds.
    """

    __slots__ = (
        "_binary",
        "_closed",
        "_control",
        "_deflate",
        "_failed",
        "_finished",
        "_fragments",
        "_frame_left",
        "_head",
        "_head_need",
        "_max_fragments",
        "_message",
        "_message_bytes",
        "_message_opcode",
        "_phase",
        "_stage",
        "_utf8",
    )

    def __init__(
        self,
        *,
        message_bytes: int,
        max_fragments: int = 1024,
        binary: bool = False,
        deflate: bool = False,
    ) -> None:
        for name, limit in (("message_bytes", message_bytes), ("max_fragments", max_fragments)):
            if not 1 <= limit <= rfc6455.LIMIT_MAX:
                raise ValueError(f"{name} is {limit}, must be 1 to {rfc6455.LIMIT_MAX}")
        self._message_bytes = message_bytes
        self._max_fragments = max_fragments
        self._binary = binary
        self._deflate = deflate
        self._failed = 0
        self._closed = False
        self._message = bytearray()
        self._message_opcode = 0  # with RSV1 if it is deflated; 0 between messages
        self._fragments = 0
        self._finished = 0  # messages, and control frames between them
        self._utf8: codecs.IncrementalDecoder | None = None  # of the text message under way
        self._control = bytearray()
        self._start_frame()

    @property
    def failed(self) -> int:
        """Close code that the connection must be closed with; 0 while all is well.

        1002 protocol error, 1003 binary message, 1007 text or close reason that is not UTF-8,
        1009 message of too many bytes or fragments.
        """
        return self._failed

    @property
    def buffered(self) -> int:
        """Payload bytes held of what is unfinished."""
        return len(self._message) + len(self._control)

    @property
    def under_way(self) -> int:
        """Number of the message or control frame that is incomplete, its own; 0: none is.

        A control frame within a message is part of it.
        """
        between = self._stage is _Stage.START and not self._head and not self._message_opcode
        return 0 if between or self._failed or self._closed else self._finished + 1

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take the next bytes from the client; return the events that they complete.

        An event is `(opcode, payload)`: a whole TEXT (or BINARY, or deflated) message, PING, PONG,
        or CLOSE with its raw payload (empty, or a valid code and a UTF-8 reason). Look at `failed`
        after each call: events before the error are still returned. After an error and after
        CLOSE, input is ignored.
        """
        events: list[tuple[int, bytes]] = []
        try:
            self._read(data, events)
        except _Failure as failure:
            self._failed = failure.code
            self._message.clear()
            self._control.clear()
        return events

    def _read(self, data: bytes, events: list[tuple[int, bytes]]) -> None:
        at = 0
        # RFC 6455 section 1.4: what comes after a close frame is discarded.
        while not (self._closed or self._failed):
            if self._stage is _Stage.PAYLOAD:
                chunk = data[at : at + self._frame_left]
                at += len(chunk)
                self._read_payload(chunk)
                if self._frame_left:
                    return
                self._end_frame(events)
            else:
                octets = data[at : at + self._head_need - len(self._head)]
                at += len(octets)
                self._head += octets
                if len(self._head) < self._head_need:
                    return
                self._read_head()

    def _start_frame(self) -> None:
        self._stage = _Stage.START
        self._head = bytearray()
        self._head_need = 2
        self._frame_left = 0
        self._phase = 0

    def _read_head(self) -> None:
        """Act on a finished stage."""
        if self._stage is _Stage.START:
            self._check_start(self._head[0], self._head[1])
            length = self._head[1] & rfc6455.LENGTH
            if length < rfc6455.LENGTH_16:
                self._expect(length)
            else:
                self._stage = _Stage.LENGTH
                self._head_need = 4 if length == rfc6455.LENGTH_16 else 10
        elif self._stage is _Stage.LENGTH:
            length = int.from_bytes(self._head[2:], "big")
            # Section 5.2: the minimal number of octets must be used, the top bit must be 0.
            if length < (rfc6455.LENGTH_16 if self._head_need == 4 else 1 << 16) or length >> 63:
                raise _Failure(rfc6455.PROTOCOL_ERROR)
            self._expect(length)
        else:
            self._stage = _Stage.PAYLOAD

    def _check_start(self, first: int, second: int) -> None:
        opcode = first & rfc6455.OPCODE
        length = second & rfc6455.LENGTH
        rsv = first & rfc6455.RSV
        # RFC 7692 section 6.1: where deflate was negotiated a message's first frame may have RSV1.
        if self._deflate and opcode in (rfc6455.TEXT, rfc6455.BINARY):
            rsv &= ~rfc6455.RSV1
        # Section 5.2: no other extension was negotiated; reserved opcodes. Section 5.1: clients
        # mask.
        if rsv or opcode not in rfc6455.OPCODES or not second & rfc6455.MASKED:
            raise _Failure(rfc6455.PROTOCOL_ERROR)
        if opcode & rfc6455.CONTROL:
            # Section 5.5: not fragmented, at most 125 bytes. Section 5.5.1: no half a close code.
            if not first & rfc6455.FIN or length > rfc6455.CONTROL_BYTES:
                raise _Failure(rfc6455.PROTOCOL_ERROR)
            if opcode == rfc6455.CLOSE and length == 1:
                raise _Failure(rfc6455.PROTOCOL_ERROR)
            return
        # Section 5.4: a continuation continues something, a new message waits for the old's end.
        if (opcode == rfc6455.CONTINUATION) != (self._message_opcode != 0):
            raise _Failure(rfc6455.PROTOCOL_ERROR)
        if opcode == rfc6455.BINARY and not self._binary:
            raise _Failure(rfc6455.UNSUPPORTED_DATA)
        if self._fragments == self._max_fragments:
            raise _Failure(rfc6455.TOO_BIG)

    def _expect(self, length: int) -> None:
        """Make ready for the payload, whose length is known and not yet trusted."""
        opcode = self._head[0] & rfc6455.OPCODE
        if not opcode & rfc6455.CONTROL:
            if len(self._message) + length > self._message_bytes:
                raise _Failure(rfc6455.TOO_BIG)
            if opcode != rfc6455.CONTINUATION:
                self._message_opcode = self._head[0] & (rfc6455.RSV1 | rfc6455.OPCODE)
                # Deflated text is checked by who inflates it.
                plain = self._message_opcode == rfc6455.TEXT
                self._utf8 = _Utf8Decoder() if plain else None
            self._fragments += 1
        self._frame_left = length
        self._stage = _Stage.MASK
        self._head_need += 4

    def _read_payload(self, chunk: bytes) -> None:
        mask = self._head[-4:]
        phase = self._phase
        payload = _xor(chunk, mask[phase:] + mask[:phase])
        self._phase = (phase + len(chunk)) & 3
        self._frame_left -= len(chunk)
        if self._head[0] & rfc6455.CONTROL:
            self._control += payload
            return
        if self._utf8 is not None:
            _check_text(self._utf8, payload)
        self._message += payload

    def _end_frame(self, events: list[tuple[int, bytes]]) -> None:
        opcode = self._head[0] & rfc6455.OPCODE
        last = self._head[0] & rfc6455.FIN
        self._start_frame()
        if opcode & rfc6455.CONTROL:
            payload = bytes(self._control)
            self._control.clear()
            self._finished += not self._message_opcode
            if opcode == rfc6455.CLOSE:
                self._closed = True
                _check_close(payload)
            events.append((opcode, payload))
        elif last:
            # Section 8.1: a message must not end inside a character.
            if self._utf8 is not None and self._utf8.getstate()[0]:
                raise _Failure(rfc6455.INVALID_DATA)
            events.append((self._message_opcode, bytes(self._message)))
            self._message.clear()
            self._message_opcode = self._fragments = 0
            self._finished += 1
            self._utf8 = None


def unmask(data: bytes, mask: bytes) -> bytes:
    """Return `data` XOR the repeated 4 octets of `mask` (RFC 6455 section 5.3); its own inverse.

    Raises:
        ValueError: `mask` is not 4 octets.
    """
    if len(mask) != 4:
        raise ValueError(f"masking key of {len(mask)} octets, must be 4")
    return _xor(data, mask)


def is_utf8(data: bytes) -> bool:
    """Tell whether `data` is valid UTF-8 (RFC 3629)."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _xor(data: bytes, mask: bytes | bytearray) -> bytes:
    # One XOR of two long integers is the fastest way that the language has.
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def _check_text(decoder: codecs.IncrementalDecoder, payload: bytes) -> None:
    # Section 8.1: text that is not UTF-8 fails the connection; here with its first wrong byte.
    try:
        decoder.decode(payload)
    except UnicodeDecodeError as error:
        raise _Failure(rfc6455.INVALID_DATA) from error
    # Half a surrogate is the one thing that the decoder keeps for later although it is wrong.
    pending = decoder.getstate()[0]
    if pending[:1] == b"\xed" and pending[1:2] >= b"\xa0":
        raise _Failure(rfc6455.INVALID_DATA)


def _check_close(payload: bytes) -> None:
    if not payload:
        return
    # Section 7.4: which codes may be there. Section 5.5.1: the reason is UTF-8.
    if not rfc6455.is_close_code(int.from_bytes(payload[:2], "big")):
        raise _Failure(rfc6455.PROTOCOL_ERROR)
    if not is_utf8(payload[2:]):
        raise _Failure(rfc6455.INVALID_DATA)
