"""The embedded cache forgets with its process: its idempotency claims are read from the log."""

from typing import Protocol

import msgspec

from groundswell.contract.clock import Clock
from groundswell.contract.events import EventKind, UnreadableRecord, decode_event
from groundswell.contract.ports.log import Log, Topic
from groundswell.ingest.gate import content_digest

CLAIM_MS = 600_000  # how long an idempotency key stands: 10 minutes


class RestoreClaim(Protocol):
    """`MemoryCache.restore_claim`."""

    def __call__(
        self,
        key_hash: int,
        *,
        comment_id: str,
        time_ms: int,
        digest: int,
        offset: int,
        append_ms: int,
    ) -> None: ...


class _Content(msgspec.Struct):
    commentText: str
    replyToCommentID: str | None = None
    ref: str | None = None


_content = msgspec.json.Decoder(_Content)


async def restore_claims(log: Log, restore: RestoreClaim, *, clock: Clock) -> int:
    """Enter the keys of all comments of the last 10 minutes; returns how many there were.

    Raises `LogError`.
    """
    restored = 0
    since_ms = clock.wall_ms() - CLAIM_MS
    for partition in range(log.partitions(Topic.EVENTS)):
        offset = await log.offset_at(Topic.EVENTS, partition, since_ms)
        end = (await log.bounds(Topic.EVENTS, partition)).end
        while offset < end:
            batch = await log.read(Topic.EVENTS, partition, offset)
            offset = batch.end
            for record in batch.records:
                if record.value is None:
                    continue
                try:
                    event = decode_event(record.value)
                except UnreadableRecord:
                    continue  # the projections keep it as a dead letter
                if event.kind != EventKind.COMMENT:
                    continue
                content = _content.decode(event.public_json)
                if content.ref is None:
                    continue
                restore(
                    event.key_hash,
                    comment_id=event.comment_id,
                    time_ms=event.time_ms,
                    digest=content_digest(content.commentText, content.replyToCommentID),
                    offset=record.offset,
                    append_ms=record.append_ms,
                )
                restored += 1
    return restored
