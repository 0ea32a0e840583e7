"""The log on Kafka: topics that `migrate` made, bound by their ids.

Owners: everything belongs to the event loop. Connections are `Nodes`', what is sent is
`KafkaProducer`'s, what is read is `KafkaReader`'s; tails and groups have connections of their own.
"""

import asyncio
import contextlib
import hashlib
import itertools
import logging
from collections.abc import Mapping

from groundswell.contract.clock import Clock
from groundswell.contract.ports.log import (
    RECORD_BYTES_MAX,
    Appended,
    Batch,
    Bounds,
    LogError,
    LogReplaced,
    LogUnavailable,
    Lost,
    RecordTooLarge,
    StartAt,
    Topic,
)
from groundswell.contract.settings import KafkaSettings
from groundswell.log.kafka_binding import MIGRATE, check_binding, check_topics, last_binding
from groundswell.log.kafka_group import KafkaGroup
from groundswell.log.kafka_member import SESSION_S
from groundswell.log.kafka_nodes import Address, Nodes
from groundswell.log.kafka_producer import KafkaProducer, ProducerStatistics
from groundswell.log.kafka_reader import KafkaReader
from groundswell.log.kafka_tail import KafkaTail

WATCH_S = 1.0  # how often topics and leaders are looked at
PROBE_S = 0.3  # the same while Kafka cannot be reached
MISSING_S = 3.0  # a node that has just started may not know all topics yet

logging.getLogger("aiokafka").setLevel(logging.WARNING)  # we say ourselves what fails


class KafkaLog:
    """A `Log` on Kafka.

    `session_s`: how long a member of a group may be silent before the others take over, in
    seconds. `routes`: where an advertised address is to be reached instead.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        clock: Clock,
        session_s: float = SESSION_S,
        routes: Mapping[Address, Address] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._session_s = session_s
        self._routes = routes
        self._nodes: Nodes | None = None
        self._producer: KafkaProducer | None = None
        self._reader: KafkaReader | None = None
        self._ids: dict[Topic, bytes] = {}
        self._partitions: dict[Topic, int] = {}
        self._generation = 0
        self._replaced: LogReplaced | None = None
        self._missing_since: float | None = None  # the loop's time
        self._watching: asyncio.Task[None] | None = None
        self._readers: dict[int, KafkaTail | KafkaGroup] = {}
        self._instances: set[str] = set()  # that members of this process have now
        self._numbers = itertools.count()

    async def start(self) -> None:
        """Connect and check that these are the topics that `migrate` bound; see `Log`."""
        nodes = Nodes(self._settings, routes=self._routes)
        try:
            await nodes.refresh()
            topics = check_topics(nodes, self._settings)
            ids = {topic: state.id for topic, state in topics.items()}
            reader = KafkaReader(
                nodes,
                ids,
                deadline_s=self._settings.deadline,
                check=self._check,
                replaced=self.replaced,
            )
            self._nodes, self._ids = nodes, ids
            self._generation = check_binding(await last_binding(reader), topics)
            producer = KafkaProducer(
                nodes, ids, settings=self._settings, clock=self._clock, check=self._check
            )
            await producer.start()
        except BaseException:
            await nodes.close()
            self._nodes = None
            raise
        self._partitions = {topic: len(state.leaders) for topic, state in topics.items()}
        self._reader, self._producer = reader, producer
        self._watching = asyncio.create_task(self._watch(), name="kafka-watch")

    async def close(self) -> None:
        """Finish what was accepted, then let go. Idempotent."""
        producer, self._producer = self._producer, None
        if producer is None or self._nodes is None or self._watching is None:
            return
        await producer.close()
        self._watching.cancel()
        await asyncio.wait([self._watching])
        for left in list(self._readers.values()):
            await left.close()
        await self._nodes.close()

    def partitions(self, topic: Topic) -> int:
        """Return how many partitions the topic has."""
        return self._partitions[topic]

    def epoch(self, topic: Topic) -> str:
        """Return 16 hex digits made of Kafka's own id of the topic."""
        return hashlib.blake2b(self._ids[topic], digest_size=8).hexdigest()

    def generation(self) -> int:
        """Return the number that `migrate` bound the topics to."""
        return self._generation

    def replaced(self) -> LogReplaced | None:
        """Return why these are no longer the topics that were bound, once that is known."""
        return self._replaced

    def writable(self) -> bool:
        """Whether the last attempt to append worked; after a failure, whether Kafka answers."""
        if self._producer is None or self._nodes is None or self._replaced is not None:
            return False
        return self._nodes.reachable and self._producer.worked

    def statistics(self) -> ProducerStatistics:
        """Return the counters; callable from the event loop at any time."""
        return ProducerStatistics() if self._producer is None else self._producer.statistics

    async def append(
        self, topic: Topic, partition: int, value: bytes | None, *, key: bytes | None = None
    ) -> Appended:
        """Append one record; see `Log`. Fails at once while Kafka is known to be away."""
        size = len(key or b"") + len(value or b"")
        if size > RECORD_BYTES_MAX:
            raise RecordTooLarge(f"record of {size} bytes is over {RECORD_BYTES_MAX}")
        self._check_partition(topic, partition)
        if self._producer is None or self._nodes is None:
            raise LogUnavailable("the log is not open")
        if self._replaced is not None:
            raise LogReplaced(*self._replaced.args)
        if not self._nodes.reachable:
            raise LogUnavailable("Kafka cannot be reached; it is tried again all the time")
        return await self._producer.append(topic, partition, key, value)

    async def read(
        self, topic: Topic, partition: int, offset: int, *, max_records: int = 1000
    ) -> Batch:
        """Return records from `offset` on; see `Log`."""
        self._check_partition(topic, partition)
        return await self._open_reader().read(topic, partition, offset, max_records)

    async def bounds(self, topic: Topic, partition: int) -> Bounds:
        """Return the readable range as of now; see `Log`."""
        self._check_partition(topic, partition)
        return await self._open_reader().bounds(topic, partition)

    async def offset_at(self, topic: Topic, partition: int, time_ms: int) -> int:
        """Return the first offset appended at or after a time; see `Log`."""
        self._check_partition(topic, partition)
        return await self._open_reader().offset_at(topic, partition, time_ms)

    def tail(self) -> KafkaTail:
        """Return a reader of partitions of one's own choice."""
        number = next(self._numbers)
        tail = KafkaTail(
            self._open_nodes(),
            self._open_reader(),
            let_go=lambda: self._let_go(number),
        )
        self._readers[number] = tail
        return tail

    def group(
        self,
        name: str,
        topic: Topic,
        *,
        start_at: StartAt | None = None,
        lost: Lost | None = None,
    ) -> KafkaGroup:
        """Join a consumer group; see `Log`.

        `kafka.member` names this process in it; a second member of one process gets a number.
        """
        group = f"{self._settings.prefix}{name}"
        number = next(self._numbers)
        instance = self._instance(group)
        member = KafkaGroup(
            self._open_nodes(),
            self._open_reader(),
            group,
            topic,
            partitions=self._partitions[topic],
            instance=instance,
            deadline_s=self._settings.deadline,
            session_s=self._session_s,
            start_at=start_at,
            lost=lost,
            let_go=lambda: self._let_go(number, f"{group}/{instance}"),
        )
        self._readers[number] = member
        return member

    # The watch

    async def _watch(self) -> None:
        """Look at the topics about once a second, and for Kafka's return more often."""
        while self._replaced is None and self._nodes is not None and self._producer is not None:
            failures = self._producer.statistics.failures
            await asyncio.sleep(WATCH_S if self._nodes.reachable else PROBE_S)
            with contextlib.suppress(LogError):
                await self._check()
                # Kafka answers and nothing has failed since: appending is worth a try again.
                if self._producer is not None and self._producer.statistics.failures == failures:
                    self._producer.worked = True

    async def _check(self) -> None:
        """Ask Kafka whether the topics are still the same; raises `LogReplaced` if not.

        Raises `LogUnavailable` when no node answers.
        """
        if self._replaced is None:
            await self._open_nodes().refresh()
            self._compare()
        if self._replaced is not None:
            raise LogReplaced(*self._replaced.args)

    def _compare(self) -> None:
        topics = self._open_nodes().cluster.topics
        for topic, state in topics.items():
            if state.id != self._ids[topic]:
                name = self._open_nodes().name(topic)
                self._replace(LogReplaced(f"topic {name} was deleted and made anew: {MIGRATE}"))
                return
        missing = ", ".join(topic for topic in self._ids if topic not in topics)
        now = asyncio.get_running_loop().time()
        if not missing:
            self._missing_since = None
        elif self._missing_since is None:
            self._missing_since = now
        elif now - self._missing_since > MISSING_S:
            self._replace(LogReplaced(f"topics were deleted from Kafka ({missing}): {MIGRATE}"))

    def _replace(self, error: LogReplaced) -> None:
        self._replaced = error
        if self._producer is not None:
            self._producer.fail(error)
        for reader in self._readers.values():
            reader.waker.wake()

    # The rest

    def _instance(self, group: str) -> str | None:
        """Return a name that no other member of this process has in the group."""
        member = self._settings.member
        if not member:
            return None
        names = itertools.chain([member], (f"{member}-{n}" for n in itertools.count(2)))
        name = next(name for name in names if f"{group}/{name}" not in self._instances)
        self._instances.add(f"{group}/{name}")
        return name

    def _let_go(self, number: int, instance: str = "") -> None:
        self._readers.pop(number, None)
        self._instances.discard(instance)

    def _check_partition(self, topic: Topic, partition: int) -> None:
        if not 0 <= partition < self._partitions.get(topic, 1 << 31):
            raise ValueError(f"{topic} has no partition {partition}")

    def _open_nodes(self) -> Nodes:
        if self._nodes is None:
            raise LogUnavailable("the log is not open")
        return self._nodes

    def _open_reader(self) -> KafkaReader:
        if self._reader is None:
            raise LogUnavailable("the log is not open")
        if self._replaced is not None:
            raise LogReplaced(*self._replaced.args)
        return self._reader
