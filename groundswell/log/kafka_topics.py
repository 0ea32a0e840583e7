"""`groundswell migrate` for Kafka: make the topics, and bind them to a generation."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from groundswell.contract.clock import SystemClock
from groundswell.contract.control import Binding
from groundswell.contract.events import VERSION
from groundswell.contract.ports.log import (
    COMPACTED,
    RECORD_BYTES_MAX,
    LogError,
    LogUnavailable,
    Topic,
)
from groundswell.contract.settings import KafkaSettings
from groundswell.log import kafka_codes as codes
from groundswell.log.kafka_binding import (
    bound_ids,
    check_topics,
    expected_partitions,
    last_binding,
)
from groundswell.log.kafka_nodes import Nodes
from groundswell.log.kafka_producer import KafkaProducer
from groundswell.log.kafka_reader import RETRY_S, KafkaReader
from groundswell.log.kafka_wire import CREATE_TOPICS, Call

CREATE_TIMEOUT_S = 30.0
RECORD_OVERHEAD = 64 * 1024  # what a batch of one record has beside key and value, and to spare
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was done: the topics that were made, the generation, and whether it is a new one."""

    made: tuple[str, ...]
    generation: int
    bound: bool


async def migrate_topics(
    settings: KafkaSettings,
    *,
    retention_ms: int,
    known_generation: int = 0,
    compaction: Mapping[str, str] | None = None,
) -> Migrated:
    """Make the topics that are missing, check the others, and bind all to a generation.

    `compaction`: options over ours, of new topics that are compacted. Safe to repeat; nothing is
    ever deleted. Raises `LogError` with what to do about it.

    The generation is one more than that of the last binding in `control` when other topics were
    made anew since. If `control` was lost, that number is lost with it; `known_generation`, the
    greatest that any store was fed from, keeps it from going back.
    """
    nodes = Nodes(settings)
    try:
        await nodes.refresh()
        made = await _make_missing(nodes, settings, retention_ms, compaction or {})
        topics = check_topics(nodes, settings)
        ids = {topic: state.id for topic, state in topics.items()}
        reader = KafkaReader(
            nodes,
            ids,
            deadline_s=CREATE_TIMEOUT_S,
            check=nodes.refresh,
            replaced=lambda: None,
        )
        last = await last_binding(reader)
        if last is not None and last.topic_ids == bound_ids(topics):
            return Migrated(made, last.generation, bound=False)
        if last is not None:
            generation = max(last.generation, known_generation) + 1
        elif set(made) - {nodes.name(Topic.CONTROL)}:
            generation = known_generation + 1
        else:  # only `control` was lost
            generation = max(known_generation, 1)
        binding = Binding(VERSION, generation, bound_ids(topics))
        await _append(nodes, ids, settings, binding)
        return Migrated(made, binding.generation, bound=True)
    finally:
        await nodes.close()


async def _make_missing(
    nodes: Nodes, settings: KafkaSettings, retention_ms: int, compaction: Mapping[str, str]
) -> tuple[str, ...]:
    missing = [topic for topic in Topic if topic not in nodes.cluster.topics]
    if not missing:
        return ()
    if settings.min_insync > settings.replication:
        raise LogError(
            f"kafka.min_insync is {settings.min_insync}, more than kafka.replication "
            f"({settings.replication}): no record could ever be acknowledged"
        )
    asked: list[Any] = [
        (
            nodes.name(topic),
            expected_partitions(settings, topic),
            settings.replication,
            [],
            list(_options(topic, settings, retention_ms, compaction).items()),
        )
        for topic in missing
    ]
    call = Call(CREATE_TOPICS, asked, int(CREATE_TIMEOUT_S * 1000), False)  # noqa: FBT003  # a field
    _, answers = await nodes.any_call(call, timeout_s=CREATE_TIMEOUT_S)
    for name, error, text in answers:
        if error == codes.INVALID_REPLICATION:
            raise LogError(
                f"topic {name} cannot have {settings.replication} replicas, Kafka has "
                f"{len(nodes.cluster.addresses)} nodes: start more, or set kafka.replication"
            )
        if error not in (codes.NONE, codes.TOPIC_EXISTS):
            raise LogError(f"topic {name} cannot be made: {text or codes.name_of(error)}")
    await _wait_for_leaders(nodes)
    return tuple(name for name, error, _ in answers if error == codes.NONE)


def _options(
    topic: Topic, settings: KafkaSettings, retention_ms: int, compaction: Mapping[str, str]
) -> dict[str, str]:
    options = {
        "min.insync.replicas": str(settings.min_insync),
        "unclean.leader.election.enable": "false",
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(RECORD_BYTES_MAX + RECORD_OVERHEAD),
    }
    if topic in COMPACTED:
        # What is superseded goes within an hour or two, so that reading it whole stays short.
        options |= {
            "cleanup.policy": "compact",
            "segment.ms": str(HOUR_MS),
            "min.cleanable.dirty.ratio": "0.1",
            "delete.retention.ms": str(24 * HOUR_MS),
        }
        return options | dict(compaction)
    return options | {
        "cleanup.policy": "delete",
        "retention.ms": str(retention_ms),
        "segment.ms": str(min(24 * HOUR_MS, max(HOUR_MS, retention_ms // 8))),
    }


async def _wait_for_leaders(nodes: Nodes) -> None:
    """Wait until a new topic can be read and written; every node hears of it in its own time."""
    try:
        async with asyncio.timeout(CREATE_TIMEOUT_S):
            while True:
                await nodes.refresh()
                states = nodes.cluster.topics
                if len(states) == len(Topic) and all(
                    leader is not None for state in states.values() for leader in state.leaders
                ):
                    return
                await asyncio.sleep(RETRY_S)
    except TimeoutError as error:
        raise LogUnavailable("Kafka does not find leaders for the new topics") from error


async def _append(
    nodes: Nodes, ids: dict[Topic, bytes], settings: KafkaSettings, binding: Binding
) -> None:
    producer = KafkaProducer(
        nodes, ids, settings=settings, clock=SystemClock(), check=nodes.refresh
    )
    await producer.start()
    try:
        await producer.append(Topic.CONTROL, 0, binding.key(), msgspec.msgpack.encode(binding))
    finally:
        await producer.close()
