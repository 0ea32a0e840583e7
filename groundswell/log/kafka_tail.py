"""Following partitions on Kafka: one long poll a node, asked again as soon as it was taken.

Positions are ours alone. What comes back for a partition that was unfollowed or moved meanwhile
is dropped, so adding and removing partitions can neither repeat nor skip a record of the others.
"""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from groundswell.contract.ports.log import (
    Batch,
    LogError,
    Record,
    Topic,
)
from groundswell.log import kafka_codes as codes
from groundswell.log.kafka_nodes import Nodes
from groundswell.log.kafka_reader import (
    PARTITION_BYTES,
    RETRY_S,
    Fetched,
    KafkaReader,
    Place,
)
from groundswell.log.kafka_records import parse
from groundswell.log.waker import Waker

WAIT_MS = 50  # of a long poll: how late a partition added to an idle tail is read, at most
RECORDS_MAX = 1000  # and PARTITION_BYTES: a partition that holds so much is not read ahead

_numbers = itertools.count()


@dataclass(slots=True, eq=False)
class _Followed:
    """One partition since it was followed; following it again makes another."""

    offset: int
    records: list[Record] = field(default_factory=list)  # read, and not taken yet
    size: int = 0  # of them in bytes
    moved: bool = False  # since it was taken, perhaps without any record

    @property
    def full(self) -> bool:
        return self.size >= PARTITION_BYTES or len(self.records) >= RECORDS_MAX

    def take(self, place: Place) -> Batch:
        """Return what was read."""
        batch = Batch(*place, self.records, self.offset)
        self.records, self.size, self.moved = [], 0, False
        return batch


class KafkaTail:
    """A `Tail`; `next_batches` may be called by one task at a time."""

    def __init__(
        self, nodes: Nodes, reader: KafkaReader, *, let_go: Callable[[], None] | None = None
    ) -> None:
        self._let_go = let_go  # called once closed
        self._nodes = nodes
        self._reader = reader
        self._lane = f"tail-{next(_numbers)}"
        self._followed: dict[Place, _Followed] = {}
        self._polls: dict[int | None, asyncio.Task[None]] = {}  # by node; None: leader unknown
        self._errors: list[LogError] = []
        self.waker = Waker()  # a group waits for more than records
        self._taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def follow(self, topic: Topic, partition: int, offset: int) -> None:
        """Start reading at `offset`; see `Tail`."""
        self._followed[topic, partition] = _Followed(offset)
        self.waker.wake()

    def unfollow(self, topic: Topic, partition: int) -> None:
        """Stop reading this partition; does nothing where it is not followed."""
        self._followed.pop((topic, partition), None)

    async def next_batches(self) -> list[Batch]:
        """Wait for records; see `Tail`. Raises `LogReplaced` too."""
        while not (batches := self.collect()):
            await self.waker.wait()
        return batches

    async def close(self) -> None:
        """Let go; see `Tail`."""
        if self.waker.closed:
            return
        self.waker.close()
        self._followed.clear()
        polls = [*self._polls.values()]
        for poll in polls:
            poll.cancel()
        if polls:
            await asyncio.wait(polls)
        await self._nodes.close_lane(self._lane)
        if self._let_go is not None:
            self._let_go()

    # For `KafkaGroup`, which waits for more than records

    def collect(self) -> list[Batch]:
        """Return what is there now, perhaps nothing, and have the next be fetched.

        Raises what `Tail.next_batches` raises.
        """
        if self._errors:
            raise self._errors.pop(0)
        if replaced := self._reader.replaced():
            raise replaced
        batches = [
            followed.take(place) for place, followed in self._followed.items() if followed.moved
        ]
        if batches and not self._taken.done():
            self._taken.set_result(None)
        self._poll()
        return batches

    def _poll(self) -> None:
        """Have every node asked that leads something which has been taken."""
        if self.waker.closed:
            return
        for place in self._followed:
            node = self._nodes.leader(*place)
            if node not in self._polls:
                poll = asyncio.create_task(self._poll_node(node), name=f"kafka-{self._lane}")
                self._polls[node] = poll

    async def _poll_node(self, node: int | None) -> None:
        """Ask one node for as long as there is something to ask it for."""
        try:
            while ours := self._led_by(node):
                if node is None:
                    await self._reader.look_again()
                    self.waker.wake()  # somebody leads them now, perhaps
                    return
                wanted = {place: at for place, at in ours.items() if not at.full}
                # A full one must not wait for the others' long poll once it is taken.
                full = len(wanted) < len(ours)
                if wanted:
                    await self._poll_once(node, wanted, wait_ms=0 if full else WAIT_MS)
                if full:
                    self._taken = asyncio.get_running_loop().create_future()
                    await asyncio.wait([self._taken], timeout=WAIT_MS / 1000)
        except LogError as error:
            self._errors.append(error)
            self.waker.wake()
            await asyncio.sleep(RETRY_S)
        finally:
            self._polls.pop(node, None)
            self.waker.wake()

    async def _poll_once(self, node: int, wanted: dict[Place, _Followed], *, wait_ms: int) -> None:
        offsets = {place: followed.offset for place, followed in wanted.items()}
        for found in await self._reader.fetch(node, offsets, lane=self._lane, wait_ms=wait_ms):
            await self._take(found, wanted[found.place])

    def _led_by(self, node: int | None) -> dict[Place, _Followed]:
        return {
            place: followed
            for place, followed in self._followed.items()
            if self._nodes.leader(*place) == node
        }

    async def _take(self, found: Fetched, asked: _Followed) -> None:
        place = found.place
        if self._followed.get(place) is not asked:
            return
        if found.error == codes.NONE:
            records, end = parse(found.data, asked.offset)
            if end is not None and end > asked.offset:
                asked.records += records
                asked.offset, asked.moved = end, True
                asked.size += len(found.data)
                self.waker.wake()
        elif found.error == codes.OFFSET_OUT_OF_RANGE:
            error = await self._reader.out_of_range(place, asked.offset)
            inside = error.bounds.first <= asked.offset <= error.bounds.end
            if self._followed.get(place) is asked and not inside:
                del self._followed[place]
                self._errors.append(error)
                self.waker.wake()
        else:
            await self._reader.recover(found.error)
