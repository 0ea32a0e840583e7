"""Records of `control`: what every process keeps in memory and never asks for.

One partition, compacted by key: the last record of a subject holds, a tombstone lifts it. Every
process reads the topic to its end before it is ready, and follows it from there.
"""

from typing import Final

import msgspec

from groundswell.contract.events import VERSION, UnreadableRecord

EVERY_VIDEO: Final = ""


class Ban(msgspec.Struct, array_like=True, frozen=True, tag="ban"):
    """A user may neither write to nor watch a video, or any.

    `until_ms` None: until it is lifted.
    """

    version: int
    video_id: str  # or EVERY_VIDEO
    user_id: str
    until_ms: int | None
    moderator: str
    time_ms: int
    reason: str | None = None

    def key(self) -> bytes:
        """Return the compaction key."""
        return ban_key(self.video_id, self.user_id)

    def holds(self, now_ms: int) -> bool:
        """Tell whether it has not run out."""
        return self.until_ms is None or now_ms < self.until_ms


class Binding(msgspec.Struct, array_like=True, frozen=True, tag="binding"):
    """Which topics a generation of the log is made of; written by `groundswell migrate` only.

    `topic_ids`: topic's value -> the id that the log's engine gave it when it was made. `control`
    itself is not bound: a lost one can be made again without new offsets anywhere.
    """

    version: int
    generation: int
    topic_ids: dict[str, str]

    def key(self) -> bytes:
        """Return the compaction key: one binding holds, that of the greatest generation."""
        return b"binding"


ControlRecord = Ban | Binding

_decoder: "msgspec.msgpack.Decoder[ControlRecord]" = msgspec.msgpack.Decoder(ControlRecord)


def ban_key(video_id: str, user_id: str) -> bytes:
    """Return the compaction key of a user's ban on a video (or EVERY_VIDEO)."""
    return f"ban/{video_id}/{user_id}".encode()


def ban_subject(key: bytes) -> tuple[str, str] | None:
    """Return the video and the user of a ban's key; None for the key of anything else."""
    try:
        kind, _, subject = key.decode().partition("/")
    except UnicodeDecodeError:
        return None
    video_id, slash, user_id = subject.partition("/")  # ids of videos and users have no slash
    return (video_id, user_id) if kind == "ban" and slash else None


def decode_control(value: bytes) -> ControlRecord:
    """Read a record of `control`; raises `UnreadableRecord`, also for kinds of a later program."""
    try:
        record = _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRecord(f"control record of {len(value)} bytes: {error}") from error
    if record.version != VERSION:
        raise UnreadableRecord(f"control record of version {record.version}, known is {VERSION}")
    return record
