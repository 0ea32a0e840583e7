"""One open partition: duplicates, unreadable records, and decisions that every broker shares."""

import msgspec
import pytest

from groundswell.broker.partition import OpenPartition
from groundswell.contract.events import VERSION, encode
from groundswell.contract.ports.log import Batch, Record, Topic

RATE = 10


def partition(*, start=0, first_used=0, rate=0):
    return OpenPartition(0, start=start, first_used=first_used, display_rate=rate)


def batch(records, *, topic=Topic.EVENTS):
    return Batch(topic, 0, records, records[-1].offset + 1)


def shown_of(opened, *, first=0):
    return {entry.offset: entry.shown for entry in opened.backlog.since("v", first)}


def test_a_retried_comment_is_taken_once(author):
    """The idempotency key decides, by log order alone."""
    events = [author.comment("one", ref="r"), author.comment("again", ref="r")]
    opened = partition()
    opened.accept_events(batch([Record(n, 5, None, encode(e)) for n, e in enumerate(events)]))
    assert [entry.comment_id for entry in opened.backlog.since("v", 0)] == [events[0].comment_id]
    assert (opened.duplicates, opened.next_offset) == (1, 2)


def test_what_cannot_be_read_is_skipped_and_counted(author):
    """Damaged, of a newer version, of an unknown kind, a tombstone: the partition goes on."""
    newer = msgspec.structs.replace(author.comment(), version=VERSION + 1)
    unknown = msgspec.structs.replace(author.comment(), kind=77)
    values = [b"\x00damaged", encode(newer), encode(unknown), None, encode(author.comment("fine"))]
    opened = partition()
    opened.accept_events(batch([Record(n, 5, None, value) for n, value in enumerate(values)]))
    assert [entry.offset for entry in opened.backlog.since("v", 0)] == [4]
    assert (opened.unreadable, opened.next_offset) == (2, 5)


def test_an_event_that_breaks_the_code_is_skipped(author):
    """A comment whose id nobody issued must not end the reading of all videos."""
    comments = [author.comment() for _ in range(2 * RATE)]
    poison = msgspec.structs.replace(author.comment(), comment_id="not hexadecimal")
    later = author.comment("later")
    records = [Record(n, 0, None, encode(c)) for n, c in enumerate(comments)]
    fill = [author.comment() for _ in range(RATE)]
    records += [Record(20 + n, 1000, None, encode(c)) for n, c in enumerate(fill)]
    records += [Record(30, 1000, None, encode(poison)), Record(31, 2500, None, encode(later))]
    opened = partition(rate=RATE)
    opened.accept_events(batch(records))
    assert opened.unreadable == 1
    assert opened.next_offset == 32
    assert [entry.offset for entry in opened.backlog.since("v", 30)] == [31]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_budget_does_not_depend_on_how_records_are_batched(author, size):
    """A slow broker reads larger batches and must show the same."""
    records = [Record(n, 1000 + n * 7, None, encode(author.comment())) for n in range(1000)]
    whole, split = partition(rate=RATE), partition(rate=RATE)
    whole.accept_events(batch(records))
    for start in range(0, len(records), size):
        split.accept_events(batch(records[start : start + size]))
    assert shown_of(split) == shown_of(whole)
    assert not all(shown_of(whole).values())


def test_the_budget_does_not_depend_on_where_a_broker_began(author):
    """What comes before the first used record is read for the decisions alone."""
    records = [Record(n, 1000 + n * 7, None, encode(author.comment())) for n in range(1000)]
    old, new = partition(rate=RATE), partition(start=300, first_used=600, rate=RATE)
    old.accept_events(batch(records))
    new.accept_events(batch(records[300:]))
    assert shown_of(new, first=600) == shown_of(old, first=600)
    assert new.backlog.first == 600
    assert new.backlog.since("v", 0)[0].offset == 600


def test_a_duplicate_of_a_record_before_the_first_used_is_dropped(author):
    """That is what the rewinding is for."""
    events = [author.comment("one", ref="r"), author.comment("again", ref="r")]
    opened = partition(start=0, first_used=1)
    opened.accept_events(batch([Record(n, 5, None, encode(e)) for n, e in enumerate(events)]))
    assert opened.backlog.since("v", 0) == []


def test_forgetting_idle_budgets_changes_no_decision(author):
    """Also of a video that nobody watches here: the next viewer's broker must agree with others."""
    flood = [Record(n, 1000, None, encode(author.comment())) for n in range(1000)]
    others = [
        Record(1000 + n, 1999, None, encode(author.comment(video=f"o{n}"))) for n in range(1500)
    ]
    rest = [Record(2500 + n, 2000, None, encode(author.comment())) for n in range(500)]
    kept, forgot = partition(rate=RATE), partition(rate=RATE)
    for opened in (kept, forgot):
        opened.accept_events(batch(flood))
        opened.accept_events(batch(others))
    forgot.forget_before(0)
    for opened in (kept, forgot):
        opened.accept_events(batch(rest))
    assert shown_of(forgot) == shown_of(kept)
    assert not all(shown_of(kept, first=2500).values())


def test_a_deletion_redacts_what_can_be_resumed_from(author):
    """The text is sent to nobody any more."""
    comment = author.comment("secret")
    opened = partition()
    events = [comment, author.deletion(comment.comment_id)]
    opened.accept_events(batch([Record(n, 5, None, encode(e)) for n, e in enumerate(events)]))
    assert [entry.public_json for entry in opened.backlog.since("v", 0)] == [
        None,
        events[1].public_json,
    ]


def test_totals_are_the_latest_of_each_comment_and_of_each_source_of_hearts(author):
    """Old and unreadable records change nothing."""
    comment_id = author.comment().comment_id
    values = [
        author.totals(comment_id, 2, offset=9),
        author.totals(comment_id, 1, offset=8),
        msgspec.structs.replace(author.totals("", 5, offset=1), source=1),
        msgspec.structs.replace(author.totals("", 6, offset=1), source=2),
    ]
    records = [Record(n, 5, None, encode(value)) for n, value in enumerate(values)]
    opened = partition()
    opened.accept_totals(
        batch([*records, Record(4, 5, None, b"?"), Record(5, 5, b"k", None)], topic=Topic.TOTALS)
    )
    assert opened.totals_of("v", [comment_id, "unknown"]) == {comment_id: values[0]}
    assert [record.counts[0] for record in opened.hearts_of("v")] == [5, 6]
    assert opened.hearts_of("other") == []
    assert opened.unreadable == 1
