"""Reading by topic id: a topic made anew is refused by Kafka itself, never read for the old one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from groundswell.contract.ports.log import (
    Batch,
    Bounds,
    LogReplaced,
    LogUnavailable,
    OffsetOutOfRange,
    Record,
    Topic,
)
from groundswell.log import kafka_codes as codes
from groundswell.log.kafka_nodes import Nodes
from groundswell.log.kafka_records import parse
from groundswell.log.kafka_wire import FETCH, LIST_OFFSETS, Call

Place = tuple[Topic, int]
"""A partition of a topic."""

PARTITION_BYTES = 512 * 1024
REPLY_BYTES = 8 * 1024 * 1024
RETRY_S = 0.1
_EARLIEST, _LATEST = -2, -1
_EMPTY_READS_MAX = 3


class Fetched(NamedTuple):
    """What a node answered about one partition."""

    place: Place
    offset: int  # that was asked for
    error: int
    first: int
    end: int
    data: bytes


class KafkaReader:
    """Fetches, and answers `read`, `bounds` and `offset_at`, each within the deadline."""

    def __init__(
        self,
        nodes: Nodes,
        ids: Mapping[Topic, bytes],
        *,
        deadline_s: float,
        check: Callable[[], Awaitable[None]],
        replaced: Callable[[], LogReplaced | None],
    ) -> None:
        self._nodes = nodes
        self._ids = ids
        self._deadline_s = deadline_s
        self._check = check  # raises `LogReplaced`
        self.replaced = replaced
        self._ends: dict[Place, int] = {}  # where a partition ended when it was last asked

    async def fetch(
        self,
        node: int,
        offsets: Mapping[Place, int],
        *,
        lane: str = "",
        wait_ms: int = 0,
        partition_bytes: int = PARTITION_BYTES,
    ) -> list[Fetched]:
        """Ask one node for records of partitions that it leads; raises `LogUnavailable`."""
        by_topic: dict[Topic, list[Any]] = {}
        for (topic, partition), offset in offsets.items():
            asked: Any = (partition, -1, offset, -1, -1, partition_bytes, {})
            by_topic.setdefault(topic, []).append(asked)
        topics: list[Any] = [(self._ids[topic], asked, {}) for topic, asked in by_topic.items()]
        call = Call(FETCH, -1, wait_ms, 1, REPLY_BYTES, 0, 0, -1, topics, [], "", {})
        reply = await self._nodes.call(node, call, lane=lane, timeout_s=self._deadline_s)
        names = {self._ids[topic]: topic for topic in by_topic}
        _, error, _, answers, _ = reply
        if error != codes.NONE:
            return [Fetched(place, at, error, -1, -1, b"") for place, at in offsets.items()]
        return list(_fetched(answers, names, offsets))

    async def read(self, topic: Topic, partition: int, offset: int, max_records: int) -> Batch:
        """Return records from `offset` on; see `Log`."""
        async with self._in_time():
            records: list[Record] = []
            at, empty = offset, 0
            while True:
                found = await self._fetch_one((topic, partition), at, PARTITION_BYTES)
                more, end = parse(found.data, at)
                records += more
                at = at if end is None else max(at, end)
                if len(records) >= max_records:
                    # Exactly that many: what follows the last one has not been given.
                    at = at if len(records) == max_records else records[max_records - 1].offset + 1
                    return Batch(topic, partition, records[:max_records], at)
                empty = 0 if end is not None else empty + 1
                # A reply stops where a segment of the log ends.
                if at >= found.end or empty >= _EMPTY_READS_MAX:
                    return Batch(topic, partition, records or (), at)

    async def bounds(self, topic: Topic, partition: int) -> Bounds:
        """Return the readable range as of now; see `Log`."""
        place = (topic, partition)
        async with self._in_time():
            try:
                found = await self._fetch_one(place, self._ends.get(place, 0), 1)
            except OffsetOutOfRange as error:
                return error.bounds
            return Bounds(found.first, found.end)

    async def offset_at(self, topic: Topic, partition: int, time_ms: int) -> int:
        """Return the first offset appended at or after a time; see `Log`."""
        async with self._in_time():
            offset = await self._list_offsets((topic, partition), max(0, time_ms))
            return offset if offset >= 0 else (await self.bounds(topic, partition)).end

    async def out_of_range(self, place: Place, offset: int) -> OffsetOutOfRange:
        """Return the error to raise; raises `LogReplaced` if the topic is another one now."""
        await self._check()
        async with self._in_time():
            first = await self._list_offsets(place, _EARLIEST)
            end = await self._list_offsets(place, _LATEST)
        self._ends[place] = end
        return OffsetOutOfRange(*place, offset, Bounds(first, end))

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._deadline_s):
                yield
        except TimeoutError as error:
            raise LogUnavailable(f"Kafka did not answer within {self._deadline_s} s") from error

    async def _fetch_one(self, place: Place, offset: int, partition_bytes: int) -> Fetched:
        while True:
            node = self._nodes.leader(*place)
            if offset < 0:
                raise await self.out_of_range(place, offset)
            if node is None:
                await self.look_again()
                continue
            (found,) = await self.fetch(node, {place: offset}, partition_bytes=partition_bytes)
            if found.error == codes.NONE:
                self._ends[place] = found.end
                return found
            if found.error == codes.OFFSET_OUT_OF_RANGE:
                raise await self.out_of_range(place, offset)
            await self.recover(found.error)

    async def _list_offsets(self, place: Place, time_ms: int) -> int:
        topic, partition = place
        while True:
            node = self._nodes.leader(topic, partition)
            if node is not None:
                asked = [(self._nodes.name(topic), [(partition, -1, time_ms)])]
                _, answers = await self._nodes.call(node, Call(LIST_OFFSETS, -1, 0, asked))
                ((_, ((_, error, _, offset, _),)),) = answers
                if error == codes.NONE:
                    return int(offset)
                await self.recover(error)
            else:
                await self.look_again()

    async def recover(self, error: int) -> None:
        """Return when it is worth trying again; raises what else there is to say."""
        if error in codes.NOT_OUR_TOPIC:
            await self._check()
        elif error not in codes.TRY_AGAIN:
            raise LogUnavailable(f"Kafka refuses to read: {codes.name_of(error)}")
        await self.look_again()

    async def look_again(self) -> None:
        """Ask for the leaders anew, after a moment."""
        await asyncio.sleep(RETRY_S)
        await self._nodes.refresh()


def _fetched(
    answers: list[Any], names: Mapping[bytes, Topic], offsets: Mapping[Place, int]
) -> Iterable[Fetched]:
    for topic_id, partitions, _ in answers:
        for partition, error, end, _, first, _, _, data, _ in partitions:
            place = (names[topic_id], partition)
            yield Fetched(place, offsets[place], error, first, end, data or b"")
