"""Dead letters: what no projection can apply is in a topic, with its place and the reason."""

import msgspec
import pytest

from groundswell.contract.ports.log import RECORD_BYTES_MAX, Log, LogUnavailable, Record, Topic
from groundswell.persist.dead_letters import DeadLetter, LogDeadLetters


def letters(log: Log) -> list[DeadLetter]:
    """Return what the log in memory keeps."""
    kept = log.records[Topic.DEAD_LETTERS, 0]  # type: ignore[attr-defined]  # of the fake only
    return [msgspec.msgpack.decode(record.value, type=DeadLetter) for record in kept]


async def test_a_dead_letter_has_everything_of_its_record(log: Log) -> None:
    """The bytes, the place and the reason, for the operator to look at."""
    record = Record(7, 1234, b"key", b"\xc1")
    await LogDeadLetters(log).dead_letter(Topic.EVENTS, 3, record, reason="damaged")
    assert letters(log) == [DeadLetter(1, "events", 3, 7, 1234, b"key", b"\xc1", "damaged")]


async def test_a_record_without_a_value_is_kept_as_one(log: Log) -> None:
    """A tombstone is no empty value."""
    await LogDeadLetters(log).dead_letter(Topic.TOTALS, 0, Record(1, 2, None, None), reason="none")
    assert (letters(log)[0].key, letters(log)[0].value) == (None, None)


@pytest.mark.parametrize("key", [None, b"k" * 100, b"k" * RECORD_BYTES_MAX])
async def test_the_largest_record_still_fits(log: Log, key: bytes | None) -> None:
    """Its value is cut, and so is a reason that quotes it; place and beginning stay."""
    record = Record(7, 1234, key, b"v" * RECORD_BYTES_MAX)
    await LogDeadLetters(log).dead_letter(
        Topic.EVENTS, 3, record, reason="\N{GRINNING FACE}" * 9999
    )
    (kept,) = log.records[Topic.DEAD_LETTERS, 0]  # type: ignore[attr-defined]  # of the fake only
    assert RECORD_BYTES_MAX - 16 * 1024 < len(kept.value) <= RECORD_BYTES_MAX
    (letter,) = letters(log)
    assert letter.offset == 7
    assert record.value is not None
    assert record.value.startswith(letter.value or b"")


async def test_a_log_that_is_away_is_said(log: Log) -> None:
    """The lane waits and tries again; nothing is dropped."""
    log.refused_appends = 1  # type: ignore[attr-defined]  # of the fake only
    keep = LogDeadLetters(log)
    with pytest.raises(LogUnavailable):
        await keep.dead_letter(Topic.EVENTS, 3, Record(7, 1, None, b"x"), reason="damaged")
    await keep.dead_letter(Topic.EVENTS, 3, Record(7, 1, None, b"x"), reason="damaged")
    assert len(letters(log)) == 1
