"""Records of the four topics and their bytes: msgpack arrays, first field the version.

A reader meets fields that it does not know only in a newer version, and then says so with
`UnreadableRecord`; an unknown `kind` of a known version is skipped, so kinds can be added.
"""

from enum import IntEnum, IntFlag
from typing import Final, TypeVar

import msgspec

VERSION: Final = 1


class UnreadableRecord(ValueError):
    """A record of the log that this program cannot read: damaged, or of a newer version."""


class EventKind(IntEnum):
    """What an event of a video is."""

    COMMENT = 1
    DELETION = 2


class EventFlag(IntFlag):
    """What the broker must know of a comment without parsing it."""

    PRIVILEGED = 1  # by a moderator or admin: always shown, whatever the display budget


class Event(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The envelope on `events`, by video: the public JSON travels opaque from gate to screen.

    `public_json` is what viewers get: of a comment the object of `GET .../comments` without
    `reactions`, of a deletion the event object of an `update`. `user_id` is who did it.
    `private` (address hash) never reaches a viewer. `key_hash` is `key_hash64` of the
    idempotency key, or of the comment's own id where the client gave none.
    """

    version: int
    kind: int
    video_id: str
    comment_id: str
    user_id: str
    flags: int
    parent_id: str | None
    key_hash: int
    time_ms: int
    public_json: bytes
    private: bytes | None = None


class LoggedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event with its place in the log: offset and append time (ms)."""

    offset: int
    append_ms: int
    event: Event


class Reaction(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One user's reaction to one comment; `code` 0 takes it back."""

    video_id: str
    comment_id: str
    user_id: str
    code: int


class Hearts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How often a video was reacted to since the sender's last record, by type."""

    video_id: str
    counts: tuple[int, ...]


class ReactionRecord(msgspec.Struct, array_like=True, frozen=True):
    """A packed record on `reactions`: at most one reaction per (comment, user) in it."""

    version: int
    time_ms: int
    reactions: list[Reaction]
    hearts: list[Hearts]


class TotalsRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Absolute totals on `totals`, of a comment or (comment_id "") of a video's hearts.

    Hearts are one record for each partition of `reactions` that they came through; a video's
    hearts are the sum over `source`. Of one key the greater (generation, offset) wins.
    """

    version: int
    video_id: str
    comment_id: str
    source: int  # partition of `reactions` that was counted
    generation: int
    offset: int  # last record of `source` that is counted in
    counts: tuple[int, ...]

    def key(self) -> bytes:
        """Return the compaction key."""
        return (self.comment_id or f"{self.video_id}/{self.source}").encode()


_encoder = msgspec.msgpack.Encoder()
_event = msgspec.msgpack.Decoder(Event)
_reactions = msgspec.msgpack.Decoder(ReactionRecord)
_totals = msgspec.msgpack.Decoder(TotalsRecord)

encode = _encoder.encode


def decode_event(value: bytes) -> Event:
    """Read a record of `events`; raises `UnreadableRecord`."""
    return _checked(_event, value)


def decode_reactions(value: bytes) -> ReactionRecord:
    """Read a record of `reactions`; raises `UnreadableRecord`."""
    return _checked(_reactions, value)


def decode_totals(value: bytes) -> TotalsRecord:
    """Read a record of `totals`; raises `UnreadableRecord`."""
    return _checked(_totals, value)


_Readable = TypeVar("_Readable", Event, ReactionRecord, TotalsRecord)


def _checked(decoder: "msgspec.msgpack.Decoder[_Readable]", value: bytes) -> _Readable:
    try:
        record = decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRecord(f"record of {len(value)} bytes: {error}") from error
    if record.version != VERSION:
        raise UnreadableRecord(f"record of version {record.version}, this program reads {VERSION}")
    return record
