"""The requests of a producer: an id to send under, and batches to append."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from groundswell.contract.ports.log import LogUnavailable, Topic
from groundswell.log import kafka_codes as codes
from groundswell.log.kafka_lane import Lane, Producer, Sending
from groundswell.log.kafka_nodes import Nodes
from groundswell.log.kafka_reader import RETRY_S, Place
from groundswell.log.kafka_wire import INIT_PRODUCER_ID, PRODUCE_BY_ID, PRODUCE_BY_NAME, Call

_ALL_IN_SYNC = -1
_PRODUCER_MS = 60_000  # of a transaction, of which there are none


class Answer(NamedTuple):
    """What Kafka says about a batch; the offset and time are those of its first record."""

    error: int
    offset: int
    append_ms: int


async def new_producer(nodes: Nodes, *, timeout_s: float) -> Producer:
    """Take a producer id; a Kafka that has just started is asked again. Raises `LogUnavailable`."""
    call = Call(INIT_PRODUCER_ID, None, _PRODUCER_MS)
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    while True:
        _, error, number, epoch = await nodes.any_call(call, timeout_s=timeout_s)
        if error == codes.NONE:
            return Producer(number, epoch)
        # A node has no ids to give before the controller gave it some.
        if error not in codes.NO_COORDINATOR or loop.time() >= until:
            raise LogUnavailable(f"Kafka gives no producer id: {codes.name_of(error)}")
        await asyncio.sleep(RETRY_S)


def produce_call(
    batches: Iterable[tuple[Lane, Sending]],
    nodes: Nodes,
    ids: Mapping[Topic, bytes],
    *,
    timeout_s: float,
) -> Call:
    """Return the request that appends these batches, all of one node."""
    by_topic: dict[Topic, list[tuple[int, bytes]]] = {}
    for lane, batch in batches:
        by_topic.setdefault(lane.topic, []).append((lane.partition, batch.data))
    time_ms = int(timeout_s * 1000)
    by_name = [(nodes.name(topic), asked) for topic, asked in by_topic.items()]
    by_id: list[Any] = [
        (ids[topic], [(*one, {}) for one in asked], {}) for topic, asked in by_topic.items()
    ]
    older = Call(PRODUCE_BY_NAME, None, _ALL_IN_SYNC, time_ms, by_name)
    return Call(PRODUCE_BY_ID, None, _ALL_IN_SYNC, time_ms, by_id, {}, otherwise=older)


def produce_answers(
    reply: tuple[Any, ...], nodes: Nodes, ids: Mapping[Topic, bytes]
) -> dict[Place, Answer]:
    """Read the reply to either request."""
    topics: dict[Any, Topic] = {topic_id: topic for topic, topic_id in ids.items()}
    topics |= {nodes.name(topic): topic for topic in ids}
    return {
        (topics[topic], partition): Answer(error, base, time_ms)
        for topic, partitions, *_ in reply[0]
        for partition, error, base, time_ms, *_ in partitions
    }
