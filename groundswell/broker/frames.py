"""Frames: what a room sends at one tick, encoded once for all its viewers."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from groundswell.broker import compression
from groundswell.broker.backlog import Entry
from groundswell.cext import frames as encoder
from groundswell.contract.events import EventKind
from groundswell.contract.reactions import Counts, counts_json

PING_CONTROL = encoder.websocket_ping(b"")
CLOSE_REASON_BYTES = 123  # RFC 6455 section 5.5: a control frame carries 125 bytes, 2 are the code


class Frame:
    """One message for every viewer of a room: immutable bytes, each form made at first use."""

    __slots__ = (
        "_deflated",
        "_sse",
        "_websocket",
        "deflates",
        "event",
        "native",
        "payload",
        "position",
    )

    def __init__(self, event: bytes, position: str, payload: bytes) -> None:
        self.event = event
        self.position = position
        self.payload = payload
        self.deflates = True  # False: too few share it for that to pay
        self._websocket: bytes | None = None
        self._deflated: bytes | None = None
        self._sse: bytes | None = None
        self.native: Any = None  # the native plane's form, of all that were asked for

    @property
    def websocket(self) -> bytes:
        """The bytes for a WebSocket: one text frame (RFC 6455 section 5.2)."""
        if self._websocket is None:
            self._websocket = encoder.websocket_text(self.payload)
        return self._websocket

    @property
    def deflated(self) -> bytes:
        """The bytes for a WebSocket that negotiated RFC 7692: `websocket` where that is as good."""
        if self._deflated is None:
            deflated = compression.deflated_frame(self.payload) if self.deflates else None
            self._deflated = deflated or self.websocket
        return self._deflated

    @property
    def sse(self) -> bytes:
        """The bytes for server-sent events."""
        if self._sse is None:
            self._sse = encoder.sse_event(self.event, self.position.encode(), self.payload)
        return self._sse


class PingFrame(Frame):
    """A ping. A WebSocket gets an RFC 6455 ping behind the message, so that clients that know
    nothing of ours answer too; SSE a comment line.
    """

    def __init__(self, position: str) -> None:
        super().__init__(b"ping", position, b'{"type":"ping","position":"%b"}' % position.encode())

    @property
    def websocket(self) -> bytes:
        if self._websocket is None:
            self._websocket = encoder.websocket_text(self.payload) + PING_CONTROL
        return self._websocket

    @property
    def deflated(self) -> bytes:
        return self.websocket

    @property
    def sse(self) -> bytes:
        return b": ping\n\n"


class CloseFrame(Frame):
    """The last words to a viewer: a close frame, or an event where there is none."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(b"closed", "", b"")
        cut = reason.encode()[:CLOSE_REASON_BYTES]
        self._websocket = self._deflated = encoder.websocket_close(code, cut)
        self._sse = b'event: closed\ndata: {"code":%d,"reason":"%b"}\n\n' % (code, cut)


class UpdateFrame(Frame):
    """An `update` of entries in log order, the latest totals and hearts (count, window ms).

    Comments that are not shown are counted as `skipped`; deleted ones are left out in silence. It
    keeps what it was made of, so that a deletion can cut a comment out of it.
    """

    __slots__ = ("_entries", "_hearts", "_totals", "_viewers")

    def __init__(
        self,
        position: str,
        entries: Sequence[Entry],
        *,
        totals: Mapping[str, Counts] | None = None,
        hearts: tuple[int, int] | None = None,
        viewers: int | None = None,
    ) -> None:
        self._entries = entries
        self._totals = totals or {}
        self._hearts = hearts
        self._viewers = viewers
        super().__init__(b"update", position, self._encode(position))

    def _encode(self, position: str) -> bytes:
        comments: list[bytes] = []
        events: list[bytes] = []
        skipped = 0
        for entry in self._entries:
            if entry.public_json is None:
                continue
            if entry.kind == EventKind.DELETION:
                events.append(entry.public_json)
            elif entry.shown:
                comments.append(entry.public_json)
            else:
                skipped += 1
        tail = b""
        if self._totals:
            tail += b',"reactions":[%b]' % b",".join(
                b'{"commentID":"%b","reactionCount":%b}'
                % (comment_id.encode(), counts_json(counts))
                for comment_id, counts in self._totals.items()
            )
        if self._hearts is not None:
            tail += b',"hearts":{"count":%d,"window_ms":%d}' % self._hearts
        if self._viewers is not None:
            tail += b',"viewers":%d' % self._viewers
        if skipped:
            tail += b',"skipped":%d' % skipped
        return encoder.update(position.encode(), comments, events, tail)

    def without(self, comment_id: str) -> "UpdateFrame | None":
        """Return this update with a comment's text cut out; None: it was not in it."""
        found = False
        for entry in self._entries:
            if entry.comment_id == comment_id and entry.kind == EventKind.COMMENT:
                entry.public_json = None
                found = True
        if not found:
            return None
        totals = {id_: counts for id_, counts in self._totals.items() if id_ != comment_id}
        return UpdateFrame(
            self.position, self._entries, totals=totals, hearts=self._hearts, viewers=self._viewers
        )


def welcome_frame(
    position: str,
    comments: Sequence[bytes],
    *,
    recovered: bool,
    viewers: int | None,
    limits: Mapping[str, object],
) -> Frame:
    """Make a `welcome`; `comments` are public objects with their reactions."""
    payload = (
        b'{"type":"welcome","position":"%b","recovered":%b,"comments":[%b],"viewers":%b,"limits":%b}'
    ) % (
        position.encode(),
        b"true" if recovered else b"false",
        b",".join(comments),
        b"null" if viewers is None else b"%d" % viewers,
        orjson.dumps(limits),
    )
    return Frame(b"welcome", position, payload)
