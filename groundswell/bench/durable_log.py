"""What is put into the log before a projection is measured, encoded as the gate encodes it."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from groundswell.bench.native_tools import ToolFailed
from groundswell.contract.clock import SystemClock, rfc3339
from groundswell.contract.events import VERSION, Event, EventKind, encode
from groundswell.contract.ids import CommentIds, time_ms_of
from groundswell.contract.partition import key_hash64, partition_of
from groundswell.contract.ports.log import Appended, LogError, Topic
from groundswell.contract.settings import Settings

COMMENT_BYTES = 200  # of public JSON
_AT_ONCE = 1000  # records that wait for Kafka together

Ends = dict[int, int]
"""Partition -> the offset after its last record."""


class Written(msgspec.Struct, array_like=True, frozen=True):
    """A comment in the log, as a row of the store has it."""

    video_id: str
    offset: int
    append_ms: int
    comment_id: str
    public_json: bytes


@dataclass(frozen=True, slots=True)
class Filled:
    """What is in a topic now."""

    generation: int
    ends: Ends


def fill_comments(
    settings: Settings, *, comments: int, videos: int
) -> tuple[Filled, list[Written]]:
    """Append comments of `COMMENT_BYTES`, evenly over the videos; return them in log order.

    Raises:
        ToolFailed: Kafka refused one.
    """
    partitions = settings.kafka.partitions
    ids = CommentIds(settings.ids.secret.encode(), now_ms=SystemClock().wall_ms)
    events: list[Event] = []

    def records() -> Iterator[tuple[int, bytes]]:
        for number in range(comments):
            event = _comment(ids, f"video-{number % videos}", number)
            events.append(event)
            yield partition_of(event.video_id, partitions), encode(event)

    filled, places = asyncio.run(_fill(settings, Topic.EVENTS, records()))
    written = [
        Written(e.video_id, at.offset, at.append_ms, e.comment_id, e.public_json)
        for e, at in zip(events, places, strict=True)
    ]
    return filled, written


def fill_reactions(settings: Settings, records: Iterable[tuple[int, bytes]]) -> Filled:
    """Append records of `reactions` with their partitions, in this order.

    Raises:
        ToolFailed: Kafka refused one.
    """
    filled, _ = asyncio.run(_fill(settings, Topic.REACTIONS, iter(records)))
    return filled


def _comment(ids: CommentIds, video_id: str, number: int) -> Event:
    comment_id = ids.mint(video_id)
    time_ms = time_ms_of(comment_id)
    user_id = f"user-{number % 1_000_000}"
    head = f'{{"commentID":"{comment_id}","userID":"{user_id}","commentText":"'
    tail = f'","timestamp":"{rfc3339(time_ms)}"}}'
    text = f"comment {number} ".ljust(COMMENT_BYTES - len(head) - len(tail), "x")
    return Event(
        version=VERSION,
        kind=EventKind.COMMENT,
        video_id=video_id,
        comment_id=comment_id,
        user_id=user_id,
        flags=0,
        parent_id=None,
        key_hash=key_hash64(video_id, user_id, comment_id),
        time_ms=time_ms,
        public_json=f"{head}{text}{tail}".encode(),
        private=bytes(16),
    )


async def _fill(
    settings: Settings, topic: Topic, records: Iterator[tuple[int, bytes]]
) -> tuple[Filled, Sequence[Appended]]:
    # Imported here: a bench of the embedded engines needs no driver.
    from groundswell.log.kafka_log import KafkaLog

    log = KafkaLog(settings.kafka, clock=SystemClock())
    places: list[Appended] = []
    ends: Counter[int] = Counter()
    try:
        await log.start()
        while some := list(islice(records, _AT_ONCE)):
            places += await asyncio.gather(
                *(log.append(topic, partition, value) for partition, value in some)
            )
        for partition in range(log.partitions(topic)):
            ends[partition] = (await log.bounds(topic, partition)).end
        return Filled(log.generation(), dict(ends)), places
    except LogError as error:
        raise ToolFailed(f"the log could not be filled: {error}") from error
    finally:
        await log.close()
