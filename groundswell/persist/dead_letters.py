"""Records that no projection can apply, kept in a topic of their own.

A record of it is a msgpack array in the order of `DeadLetter`.
"""

import msgspec

from groundswell.contract.ports.log import RECORD_BYTES_MAX, Log, Record, Topic

VERSION = 1

_REASON_CHARS = 1000  # an error's text may quote what it is about
_AROUND_BYTES = 8 * 1024  # the reason in UTF-8, the other fields, and what the log puts around


class DeadLetter(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A record as it was read, and why it was refused. `offset` is its place in `topic`."""

    version: int
    topic: str
    partition: int
    offset: int
    append_ms: int
    key: bytes | None
    value: bytes | None  # its beginning, where the whole would not fit into one record
    reason: str


class LogDeadLetters:
    """`DeadLetters` in the log. A record that is read again after a crash is kept again."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def dead_letter(
        self, topic: Topic, partition: int, record: Record, *, reason: str
    ) -> None:
        """Append a record to the dead letters; raises `LogError`."""
        key, value = record.key, record.value
        room = RECORD_BYTES_MAX - _AROUND_BYTES
        key = None if key is None else key[:room]
        value = None if value is None else value[: room - len(key or b"")]
        letter = DeadLetter(
            VERSION,
            topic.value,
            partition,
            record.offset,
            record.append_ms,
            key,
            value,
            reason[:_REASON_CHARS],
        )
        await self._log.append(Topic.DEAD_LETTERS, 0, msgspec.msgpack.encode(letter))
