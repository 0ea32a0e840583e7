"""Bytes of what is not measured at a socket: made by the product's own encoders and weighed."""

import time

import mmh3

from groundswell.bench.report import Row
from groundswell.broker.frames import PingFrame, UpdateFrame
from groundswell.contract.events import (
    VERSION,
    Event,
    EventKind,
    Reaction,
    ReactionRecord,
    TotalsRecord,
    encode,
)
from groundswell.contract.ids import CommentIds
from groundswell.contract.partition import key_hash64

VIDEO = "bench"
COUNTS = (12_345, 2_345, 345, 45, 45, 5)  # of a comment that many people saw
PACKED = 100  # reactions in a record: an ingest process at 10,000 a second and 100 flushes
BATCHED = 100  # comments in a batch of Kafka
TOTALS = 100  # in a frame
POSITION = "0123456789abcdef:1234567890"
TEXT = "t=1790000000000000000;123456 " + "abcdefghijklmnopqrstuvwxyz" * 3  # as the bench's clients


def comment_ids() -> CommentIds:
    """Return a mint of ids that nobody has to believe."""
    return CommentIds(bytes(32), now_ms=lambda: time.time_ns() // 1_000_000)


def comment(ids: CommentIds, number: int) -> Event:
    """Return a comment like those of the bench, each by another user."""
    comment_id, user = ids.mint(VIDEO), f"user-{number % 1_000_000}"
    public = (
        f'{{"commentID":"{comment_id}","userID":"{user}","commentText":"{TEXT}",'
        f'"timestamp":"2026-11-22T18:49:02.236Z"}}'
    )
    return Event(
        version=VERSION,
        kind=EventKind.COMMENT,
        video_id=VIDEO,
        comment_id=comment_id,
        user_id=user,
        flags=0,
        parent_id=None,
        key_hash=key_hash64(VIDEO, user, comment_id),
        time_ms=time.time_ns() // 1_000_000,
        public_json=public.encode(),
        private=mmh3.hash_bytes(user),
    )


def measure() -> Row:
    """Return bytes: of a totals entry in a frame, a ping, and records in Kafka's batches."""
    # Imported here: only this wants Kafka's client, and `capacity` works without it.
    from groundswell.log.kafka_records import encode_batch

    ids = comment_ids()
    totals = {ids.mint(VIDEO): COUNTS for _ in range(TOTALS)}
    with_totals = len(UpdateFrame(POSITION, [], totals=totals).websocket)
    reactions = [Reaction(VIDEO, ids.mint(VIDEO), f"user-{n}", 1) for n in range(PACKED)]
    packed = encode(ReactionRecord(VERSION, 0, reactions, []))
    events = [(VIDEO.encode(), encode(comment(ids, n))) for n in range(BATCHED)]
    total = TotalsRecord(VERSION, VIDEO, ids.mint(VIDEO), 1, 1, 1 << 30, COUNTS)
    batches = {
        "comment": (events, BATCHED),
        "reaction": ([(b"", packed)], PACKED),
        "total": ([(total.key(), encode(total))] * BATCHED, BATCHED),
    }
    in_log = {
        f"{name} in the log, bytes": len(
            encode_batch(records, now_ms=0, producer=(1, 1), sequence=0)
        )
        / count
        for name, (records, count) in batches.items()
    }
    return {
        "total in a frame, bytes": (with_totals - len(UpdateFrame(POSITION, []).websocket))
        / TOTALS,
        "ping, bytes": len(PingFrame(POSITION).websocket),
        **in_log,
    }
