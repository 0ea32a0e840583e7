"""Connections to Kafka's nodes, and what they say about our topics.

Metadata is asked for by names and without auto-creation, and carries topic ids. A connection
answers its requests one after the other, so what may wait (long polls, joins) has its own, told
apart by a lane's name.
"""

import asyncio
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka.conn import AIOKafkaConnection, create_conn  # type: ignore[import-untyped]  # it ships none
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]  # it ships none

from groundswell.contract.ports.log import LogError, LogUnavailable, Topic
from groundswell.contract.settings import KafkaSettings
from groundswell.log import kafka_codes as codes
from groundswell.log.kafka_wire import METADATA, Call

Address = tuple[str, int]

METADATA_TIMEOUT_S = 1.5
CLIENT = "groundswell"


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as Kafka has it now: its own id, and the leader of each partition or None."""

    id: bytes
    leaders: tuple[int | None, ...]


@dataclass(slots=True)
class Cluster:
    """What the last metadata said."""

    addresses: dict[int, Address] = field(default_factory=dict)
    topics: dict[Topic, TopicState] = field(default_factory=dict)


class Nodes:
    """The connections of one process. `reachable`: whether the last try reached any node."""

    def __init__(
        self, settings: KafkaSettings, *, routes: Mapping[Address, Address] | None = None
    ) -> None:
        self.cluster = Cluster()
        self.reachable = False
        self._settings = settings
        self._servers = [_address(server) for server in settings.servers]
        self._routes = routes or {}  # where an advertised address is to be reached instead
        self._security: dict[str, Any] = {}
        self._connections: dict[tuple[Address, str], AIOKafkaConnection] = {}
        self._connecting: dict[tuple[Address, str], asyncio.Lock] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self._closed = False

    def name(self, topic: Topic) -> str:
        """Return the topic's name in Kafka."""
        return f"{self._settings.prefix}{topic}"

    def leader(self, topic: Topic, partition: int) -> int | None:
        """Return the node that leads a partition, if one is known."""
        state = self.cluster.topics.get(topic)
        if state is None or partition >= len(state.leaders):
            return None
        return state.leaders[partition]

    async def refresh(self) -> None:
        """Learn nodes, topics and leaders; concurrent calls share one request.

        Raises `LogUnavailable` when no node answers, within a bounded time.
        """
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh(), name="kafka-metadata")
            self._refreshing.add_done_callback(_seen)
        await asyncio.shield(self._refreshing)

    async def call(
        self, node: int, call: Call, *, lane: str = "", timeout_s: float | None = None
    ) -> tuple[Any, ...]:
        """Send a request to a node and return its reply; raises `LogUnavailable`."""
        address = self.cluster.addresses.get(node)
        if address is None:
            raise LogUnavailable(f"Kafka's node {node} is not known")
        return await self._call(address, call, lane, timeout_s or self._settings.deadline)

    async def connect(self, node: int, *, lane: str) -> None:
        """Have a connection, so that a `call` that fails after this may have been heard."""
        address = self.cluster.addresses.get(node)
        if address is None:
            raise LogUnavailable(f"Kafka's node {node} is not known")
        address = self._routes.get(address, address)
        try:
            async with asyncio.timeout(METADATA_TIMEOUT_S):
                await self._connection(address, lane)
        except (OSError, TimeoutError, KafkaError, AssertionError) as error:
            raise _silent(address, error) from error

    async def any_call(self, call: Call, *, timeout_s: float) -> tuple[Any, ...]:
        """Send a request to whichever node answers first when asked one by one."""
        known = list(self.cluster.addresses.values())
        random.shuffle(known)
        error: LogError = LogUnavailable("no Kafka server is named")
        for address in dict.fromkeys([*known, *self._servers]):
            try:
                return await self._call(address, call, "", timeout_s)
            except LogUnavailable as unreachable:
                error = unreachable
        raise error

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait([self._refreshing])
        await self._close([*self._connections.values()])
        self._connections.clear()

    async def close_lane(self, lane: str) -> None:
        """Close the connections of one lane."""
        ours = [key for key in self._connections if key[1] == lane]
        await self._close([self._connections.pop(key) for key in ours])

    async def _refresh(self) -> None:
        names = {self.name(topic): topic for topic in Topic}
        asked: list[Any] = [(bytes(16), name, {}) for name in names]
        try:
            reply = await self.any_call(
                Call(METADATA, asked, False, False, {}),  # noqa: FBT003  # fields of the request
                timeout_s=METADATA_TIMEOUT_S,
            )
        except LogError:
            self.reachable = False
            raise
        _, nodes, _, _, topics, _ = reply
        self.cluster = Cluster(
            {node: (host, port) for node, host, port, *_ in nodes},
            {
                names[name]: TopicState(topic_id, _leaders(partitions))
                for error, name, topic_id, _, partitions, *_ in topics
                if error == codes.NONE or (partitions and error in codes.MOVED)
            },
        )
        self.reachable = True

    async def _call(
        self, address: Address, call: Call, lane: str, timeout_s: float
    ) -> tuple[Any, ...]:
        address = self._routes.get(address, address)
        connection = None
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._connection(address, lane)
                reply: tuple[Any, ...] = await connection.send(call)
                return reply
        except (OSError, TimeoutError, KafkaError, AssertionError) as error:
            if connection is not None:
                connection.close()  # what it still owes would be taken for the next answer
            raise _silent(address, error) from error

    async def _connection(self, address: Address, lane: str) -> AIOKafkaConnection:
        key = (address, lane)
        async with self._connecting.setdefault(key, asyncio.Lock()):
            connection = self._connections.get(key)
            if connection is None or not connection.connected():
                if self._closed:
                    raise LogUnavailable("the log is closed")
                connection = self._connections[key] = await create_conn(
                    *address,
                    client_id=CLIENT,
                    request_timeout_ms=60_000,  # each call has its own, shorter one
                    **await self._how(),
                )
            return connection

    async def _how(self) -> dict[str, Any]:
        if not self._security:
            settings = self._settings
            context = None
            if settings.security_protocol.endswith("SSL"):
                context = await asyncio.to_thread(
                    ssl.create_default_context, cafile=settings.ca_file or None
                )
            self._security = {
                "security_protocol": settings.security_protocol,
                "ssl_context": context,
                "sasl_mechanism": settings.sasl_mechanism,
                "sasl_plain_username": settings.user,
                "sasl_plain_password": settings.password,
            }
        return self._security

    async def _close(self, connections: list[AIOKafkaConnection]) -> None:
        closing = [closed for c in connections if (closed := c.close()) is not None]
        if closing:
            await asyncio.wait(closing, timeout=1.0)


def _address(server: str) -> Address:
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)


def _silent(address: Address, error: BaseException) -> LogUnavailable:
    reason = str(error) or type(error).__name__
    return LogUnavailable(f"Kafka at {address[0]}:{address[1]} does not answer: {reason}")


def _leaders(partitions: list[Any]) -> tuple[int | None, ...]:
    by_number = {number: leader for _, number, leader, *_ in partitions}
    return tuple(
        by_number[number] if by_number[number] >= 0 else None for number in sorted(by_number)
    )


def _seen(task: "asyncio.Task[None]") -> None:
    """Whoever waited has the error already, or nobody waits any more."""
    if not task.cancelled():
        task.exception()
