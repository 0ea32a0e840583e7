"""Whether Kafka's topics are the ones that `groundswell migrate` bound to a generation."""

from collections.abc import Mapping

from groundswell.contract.control import Binding, decode_control
from groundswell.contract.events import UnreadableRecord
from groundswell.contract.ports.log import UNPARTITIONED, LogReplaced, LogUnavailable, Record, Topic
from groundswell.contract.settings import KafkaSettings
from groundswell.log.kafka_nodes import Nodes, TopicState
from groundswell.log.kafka_reader import KafkaReader

MIGRATE = "run `groundswell migrate`, then start every process again"


def expected_partitions(settings: KafkaSettings, topic: Topic) -> int:
    """Return how many partitions a topic must have."""
    return 1 if topic in UNPARTITIONED else settings.partitions


def bound_ids(topics: Mapping[Topic, TopicState]) -> dict[str, str]:
    """Return what a binding says of these topics; `control` is not part of it."""
    return {
        topic.value: state.id.hex() for topic, state in topics.items() if topic is not Topic.CONTROL
    }


def check_topics(nodes: Nodes, settings: KafkaSettings) -> dict[Topic, TopicState]:
    """Return the topics if all are there and of the right size; raises `LogReplaced`."""
    topics = nodes.cluster.topics
    if missing := [nodes.name(topic) for topic in Topic if topic not in topics]:
        raise LogReplaced(f"Kafka has no topic {', '.join(missing)}: {MIGRATE}")
    for topic, state in topics.items():
        count, expected = len(state.leaders), expected_partitions(settings, topic)
        if count != expected:
            raise LogReplaced(
                f"topic {nodes.name(topic)} has {count} partitions and not {expected}: set "
                "kafka.partitions to the number it was made with, or delete the topics and "
                f"{MIGRATE}"
            )
    return topics


def check_binding(binding: Binding | None, topics: Mapping[Topic, TopicState]) -> int:
    """Return the generation; raises `LogReplaced` where the topics are other ones."""
    if binding is None:
        raise LogReplaced(f"Kafka's topics are not bound to a generation: {MIGRATE}")
    if binding.topic_ids != bound_ids(topics):
        raise LogReplaced(f"Kafka's topics were deleted and made anew: {MIGRATE}")
    return binding.generation


async def last_binding(reader: KafkaReader) -> Binding | None:
    """Read `control` to its end for the binding of the greatest generation.

    Raises `LogUnavailable`, `LogReplaced`.
    """
    found: Binding | None = None
    at, end = await reader.bounds(Topic.CONTROL, 0)
    while at < end:
        batch = await reader.read(Topic.CONTROL, 0, at, 1000)
        if batch.end <= at:
            raise LogUnavailable("control cannot be read to its end")
        at = batch.end
        for record in batch.records:
            binding = _binding(record)
            if binding is not None and (found is None or binding.generation >= found.generation):
                found = binding
    return found


def _binding(record: Record) -> Binding | None:
    if record.value is None:
        return None
    try:
        control = decode_control(record.value)
    except UnreadableRecord:
        return None  # whoever follows `control` says so
    return control if isinstance(control, Binding) else None
