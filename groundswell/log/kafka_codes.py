"""Error codes of Kafka's protocol, and what they mean to us."""

from aiokafka.errors import for_code  # type: ignore[import-untyped]  # it ships none

NONE = 0
OFFSET_OUT_OF_RANGE = 1
UNKNOWN_TOPIC = 3
MESSAGE_TOO_LARGE, BATCH_TOO_LARGE = 10, 18
COORDINATOR_LOADING, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR = 14, 15, 16
ILLEGAL_GENERATION, UNKNOWN_MEMBER, REBALANCE_IN_PROGRESS = 22, 25, 27
TOPIC_EXISTS, INVALID_REPLICATION = 36, 38
MEMBER_ID_REQUIRED, FENCED_INSTANCE = 79, 82
UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID = 100, 103

NOT_OUR_TOPIC = frozenset({UNKNOWN_TOPIC, UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID})
"""The topic may have been deleted or made anew; a node that just started may say so as well."""

MOVED = frozenset({5, 6, 9, 13, 56, 72, 74, 75, 76, 78})
"""The partition has no leader now, or another one: ask for the metadata and try again."""

MAYBE_APPENDED = frozenset({7, 20})
"""Time ran out, or replicas went away, after the append: repeat it with the same sequence."""

TRY_AGAIN = MOVED | MAYBE_APPENDED | frozenset({2, 19, 89})
"""Worth another try: damaged on the way, too few replicas in sync, throttled."""

SEQUENCE_LOST = frozenset({45, 47, 59, 90})
"""Kafka and the producer disagree about what was sent: a new producer id is needed."""

DUPLICATE_SEQUENCE = 46
"""It was appended before, so long ago that Kafka has forgotten where."""

NO_COORDINATOR = frozenset({COORDINATOR_LOADING, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR})


def name_of(code: int) -> str:
    """Return Kafka's name of an error, for messages."""
    return f"{for_code(code).__name__} ({code})"
