"""A member of a consumer group on Kafka: membership decides what is followed, a tail reads it."""

import asyncio
from collections.abc import Callable

from groundswell.contract.ports.log import (
    Batch,
    LogError,
    Lost,
    OffsetOutOfRange,
    StartAt,
    Topic,
)
from groundswell.log.kafka_member import KafkaMember
from groundswell.log.kafka_nodes import Nodes
from groundswell.log.kafka_reader import KafkaReader
from groundswell.log.kafka_tail import KafkaTail
from groundswell.log.waker import Waker

STARTS_AT_ONCE = 8  # partitions whose `start_at` is asked at the same time


class KafkaGroup:
    """A `Group` member; `next_batches` may be called by one task at a time.

    A partition is silent until `start_at` has said where to start; the others go on.
    """

    def __init__(
        self,
        nodes: Nodes,
        reader: KafkaReader,
        group: str,
        topic: Topic,
        *,
        partitions: int,
        instance: str | None,
        deadline_s: float,
        session_s: float,
        start_at: StartAt | None,
        lost: Lost | None,
        let_go: Callable[[], None],
    ) -> None:
        self._let_go = let_go  # called once closed
        self._reader = reader
        self._topic = topic
        self._start_at = start_at
        self._lost = lost
        self._tail = KafkaTail(nodes, reader)
        self._owned: frozenset[int] = frozenset()
        self._waiting: set[int] = set()  # owned, but not read yet
        self._starting: dict[int, asyncio.Task[int]] = {}
        self._at_once = asyncio.Semaphore(STARTS_AT_ONCE)
        self._done: dict[int, int] = {}  # what was committed, of the owned partitions
        self._fatal: LogError | None = None
        self._closed = False
        self._member = KafkaMember(
            nodes,
            group,
            nodes.name(topic),
            partitions=partitions,
            instance=instance,
            deadline_s=deadline_s,
            session_s=session_s,
            changed=self._changed,
            failed=self._failed,
        )

    async def next_batches(self) -> list[Batch]:
        """Wait for records of the owned partitions; see `Group`.

        Raises `LogUnavailable` (call again), `OffsetOutOfRange` as long as a partition is to
        start at an offset that is not there, and what `start_at` raises.
        """
        while True:
            if self._fatal is not None:
                raise self._fatal
            if replaced := self._reader.replaced():
                raise replaced
            self._start()
            if self._member.fresh:
                try:
                    if batches := self._tail.collect():
                        return batches
                except OffsetOutOfRange as error:
                    self._waiting.add(error.partition)
                    raise
            await self.waker.wait()

    async def commit(self, partition: int, offset: int) -> None:
        """Say that everything before `offset` is done; see `Group`.

        Of a partition that was lost it is ignored: its new owner repeats what was not committed.
        """
        if partition in self._owned and offset > self._done.get(partition, 0):
            self._done[partition] = offset
            await self._member.commit({partition: offset})

    async def committed(self, partition: int) -> int | None:
        """Return what the group committed last."""
        return await self._member.committed(partition)

    async def close(self) -> None:
        """Leave the group; a waiting `next_batches` raises `asyncio.CancelledError`."""
        if self._closed:
            return
        self._closed = True
        starting = [*self._starting.values()]
        for task in starting:
            task.cancel()
        if starting:
            await asyncio.wait(starting)
        await self._tail.close()
        await self._member.close()
        self._let_go()

    @property
    def waker(self) -> Waker:
        """Has a waiting `next_batches` look again."""
        return self._tail.waker

    # For `KafkaMember`

    def _changed(self, share: frozenset[int]) -> None:
        """Give up what is not in the share any more, and start what is new at the next read."""
        gone, come = self._owned - share, share - self._owned
        self._owned = share
        for partition in sorted(gone):
            self._waiting.discard(partition)
            self._done.pop(partition, None)
            if (starting := self._starting.pop(partition, None)) is not None:
                starting.cancel()
            self._tail.unfollow(self._topic, partition)
            if self._lost is not None:
                self._lost(partition)
        self._waiting |= come
        self.waker.wake()

    def _failed(self, error: LogError) -> None:
        self._fatal = error
        self.waker.wake()

    # Where partitions start

    def _start(self) -> None:
        """Follow the new partitions whose offset is known, and have the others' be asked for."""
        for partition in sorted(self._waiting):
            starting = self._starting.get(partition)
            if starting is None:
                starting = asyncio.create_task(
                    self._start_offset(partition), name=f"kafka-start-{self._topic}-{partition}"
                )
                starting.add_done_callback(lambda _: self.waker.wake())
                self._starting[partition] = starting
            elif starting.done():
                del self._starting[partition]
                offset = starting.result()  # or its error; then it is asked for again
                self._waiting.discard(partition)
                self._tail.follow(self._topic, partition, offset)

    async def _start_offset(self, partition: int) -> int:
        async with self._at_once:
            offset = await self._member.committed(partition)
            if offset is not None:
                self._done[partition] = max(offset, self._done.get(partition, 0))
            if self._start_at is not None:
                return await self._start_at(partition, offset)
            if offset is None:
                return (await self._reader.bounds(self._topic, partition)).first
            return offset
