"""Which versions of requests are spoken, and record batches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.contract.ports.log import LogUnavailable
from groundswell.log.kafka_records import BatchBuilder, encode_batch, parse
from groundswell.log.kafka_wire import FETCH, PRODUCE_BY_ID, PRODUCE_BY_NAME, Call, UnsupportedKafka

BYTES = st.none() | st.binary(max_size=50)


def test_the_newest_version_that_kafka_speaks_is_chosen():
    """Else the older request, else words."""
    call = Call(PRODUCE_BY_ID, otherwise=Call(PRODUCE_BY_NAME))
    for highest, chosen in ((13, PRODUCE_BY_ID), (12, PRODUCE_BY_NAME)):
        assert call.prepare({0: (3, highest)}).RESPONSE_TYPE is chosen
    with pytest.raises(UnsupportedKafka, match=r"3\.1 or later"):
        Call(FETCH).prepare({FETCH.key: (0, 12)})


@given(
    st.lists(st.tuples(BYTES, BYTES), min_size=1, max_size=20),
    st.integers(0, 25),
)
def test_batches_come_through_from_any_offset_on(records, offset):
    """Keys and values that are missing, empty and not."""
    data = encode_batch(records, now_ms=7, producer=(1, 0), sequence=0)
    parsed = parse(data, offset)
    assert parsed.end == len(records)
    assert [(r.offset, r.key, r.value) for r in parsed.records] == [
        (number, *record) for number, record in enumerate(records) if number >= offset
    ]


def test_a_cut_batch_is_left_out_and_a_damaged_one_is_an_error():
    """Kafka cuts what is over a reply's size; nothing else may be missing."""
    data = encode_batch([(b"k", b"v" * 100)], now_ms=7, producer=(1, 0), sequence=0)
    assert parse(data[:-1], 0) == ([], None)
    assert parse(b"", 0) == ([], None)
    with pytest.raises(LogUnavailable, match="damaged"):
        parse(data[:-1] + b"x", 0)


def test_a_batch_takes_no_more_than_its_bound_but_always_one():
    """A record over the bound goes alone."""
    builder = BatchBuilder(now_ms=7)
    assert builder.add(None, b"x" * (1 << 20))
    assert not builder.add(None, b"x")
    assert builder.count == 1
