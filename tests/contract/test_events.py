"""Records of the log: what is encoded is decoded, and damage has one name."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.contract.events import (
    VERSION,
    Event,
    Hearts,
    Reaction,
    ReactionRecord,
    TotalsRecord,
    UnreadableRecord,
    decode_event,
    decode_reactions,
    decode_totals,
    encode,
)

EVENTS = st.builds(
    Event,
    version=st.just(VERSION),
    kind=st.integers(0, 255),
    video_id=st.text(),
    comment_id=st.text(),
    user_id=st.text(),
    flags=st.integers(0, 255),
    parent_id=st.none() | st.text(),
    key_hash=st.integers(0, 2**64 - 1),
    time_ms=st.integers(0, 2**48 - 1),
    public_json=st.binary(),
    private=st.none() | st.binary(),
)
COUNTS = st.lists(st.integers(0, 2**63 - 1), max_size=6).map(tuple)
REACTIONS = st.builds(
    ReactionRecord,
    version=st.just(VERSION),
    time_ms=st.integers(0, 2**48 - 1),
    reactions=st.lists(st.builds(Reaction, st.text(), st.text(), st.text(), st.integers(0, 6))),
    hearts=st.lists(st.builds(Hearts, st.text(), COUNTS)),
)
TOTALS = st.builds(
    TotalsRecord,
    version=st.just(VERSION),
    video_id=st.text(),
    comment_id=st.text(),
    source=st.integers(0, 4095),
    generation=st.integers(0, 2**20),
    offset=st.integers(0, 2**48),
    counts=COUNTS,
)
DECODERS = [decode_event, decode_reactions, decode_totals]
EVENT = Event(VERSION, 1, "v", "c", "u", 0, None, 7, 5, b"{}")


@given(EVENTS)
def test_events_survive_the_log(event):
    """Bytes of the public JSON included, exactly as they were."""
    assert decode_event(encode(event)) == event


@given(REACTIONS)
def test_packed_reactions_survive_the_log(record):
    """All reactions and hearts of one record."""
    assert decode_reactions(encode(record)) == record


@given(TOTALS)
def test_totals_survive_the_log(record):
    """Counts in the order of the table."""
    assert decode_totals(encode(record)) == record


@pytest.mark.parametrize("decode", DECODERS)
@given(st.binary(max_size=60))
def test_damaged_bytes_are_unreadable_and_nothing_else(decode, value):
    """`UnreadableRecord`, or a record; never another exception."""
    with contextlib.suppress(UnreadableRecord):
        assert decode(value).version == VERSION


@given(st.data())
def test_a_record_cut_short_is_unreadable(data):
    """Wherever it ends too early."""
    value = encode(EVENT)
    cut = data.draw(st.integers(0, len(value) - 1))
    with pytest.raises(UnreadableRecord):
        decode_event(value[:cut])


def test_another_version_is_unreadable_and_named():
    """An older program must stop rather than guess."""
    with pytest.raises(UnreadableRecord, match=f"version {VERSION + 1}"):
        decode_event(encode(msgspec.structs.replace(EVENT, version=VERSION + 1)))


def test_the_bytes_of_an_event_stay_the_same():
    """Logs of every earlier version are full of them."""
    assert encode(EVENT).hex() == "9b0101a176a163a17500c00705c4027b7dc0"


def test_totals_are_compacted_by_comment_or_by_video_and_source():
    """Hearts of a video are one record for each partition that they came through."""
    assert TotalsRecord(VERSION, "v", "c1", 3, 0, 9, ()).key() == b"c1"
    assert TotalsRecord(VERSION, "v", "", 3, 0, 9, ()).key() == b"v/3"
