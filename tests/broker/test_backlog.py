"""What a partition's reader remembers."""

import pytest

from groundswell.broker.backlog import ENTRY_OVERHEAD_BYTES, Backlog


@pytest.fixture(name="backlog")
def fixture_backlog(author):
    """Offsets 10-19, a second apart, alternating between the videos "a" and "b"."""
    backlog = Backlog(10)
    for offset in range(10, 20):
        video = "ab"[offset % 2]
        backlog.note(offset, offset * 1000)
        entry = author.entry(author.comment(str(offset), video=video), offset, offset * 1000)
        backlog.add(video, entry)
    return backlog


def offsets(entries):
    return [entry.offset for entry in entries]


def test_since_returns_one_videos_entries_from_an_offset_on(backlog):
    """Oldest first; an offset of another video is as good as any."""
    assert offsets(backlog.since("a", 13)) == [14, 16, 18]
    assert offsets(backlog.since("a", 14)) == [14, 16, 18]
    assert offsets(backlog.since("b", 20)) == []
    assert offsets(backlog.since("unknown", 10)) == []


def test_newest_goes_backwards(backlog):
    """For a snapshot that needs only the last few."""
    assert offsets(backlog.newest("b")) == [19, 17, 15, 13, 11]
    assert offsets(backlog.newest("unknown")) == []


def test_the_append_time_is_that_of_the_first_record_at_or_after_the_offset(backlog):
    """Of whatever video: the window is one of the partition."""
    assert backlog.append_time(10) == 10_000
    assert backlog.append_time(15) == 15_000
    assert backlog.append_time(20) is None


def test_forgetting_is_strict_about_the_time(backlog):
    """What was appended at that time is kept."""
    backlog.forget_before(13_000)
    assert backlog.first == 13
    assert offsets(backlog.since("a", 13)) == [14, 16, 18]
    backlog.forget_before(13_000)
    assert backlog.first == 13


def test_forgetting_everything_leaves_an_empty_backlog_at_the_end(backlog):
    """Complete from the next offset on, and no bytes are counted."""
    backlog.forget_before(99_000)
    assert (backlog.first, backlog.bytes) == (20, 0)
    assert backlog.append_time(20) is None
    backlog.forget_oldest(0.5)
    assert backlog.first == 20


def test_a_share_is_forgotten_to_get_below_the_memory_cap(backlog):
    """At least one record, so that a loop ends."""
    backlog.forget_oldest(0.2)
    assert backlog.first == 12
    backlog.forget_oldest(0.0)
    assert backlog.first == 13


def test_a_redacted_text_is_gone_and_its_bytes_with_it(backlog):
    """The entry stays as a gap; bytes return to zero when all is dropped."""
    entry = backlog.since("a", 16)[0]
    text = entry.public_json
    before = backlog.bytes
    backlog.redact("a", entry.comment_id)
    backlog.redact("a", entry.comment_id)
    assert entry.public_json is None
    assert not entry.is_comment
    assert backlog.bytes == before - len(text)
    backlog.forget_oldest(1.0)
    assert backlog.bytes == 0


def test_bytes_count_texts_and_overhead(author):
    """What the memory cap is compared with."""
    backlog = Backlog(0)
    entry = author.entry(author.comment("x" * 100), 0)
    backlog.note(0, 0)
    backlog.add("v", entry)
    assert backlog.bytes == ENTRY_OVERHEAD_BYTES + len(entry.public_json)
