"""Sizes as people write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.bench.capacity import sizes


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (sizes.count, "10M", 10e6),
        (sizes.count, " 16.6k ", 16_600),
        (sizes.count, "1,000,000", 1e6),
        (sizes.size, "64GiB", 64 * 2**30),
        (sizes.size, "1.5 kB", 1500),
        (sizes.bandwidth, "25Gbit/s", 25e9 / 8),
        (sizes.bandwidth, "100Mbit", 12.5e6),
    ],
)
def test_a_number_with_its_unit_is_read(read, text, value):
    """In all the ways that mean the same."""
    assert read(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (sizes.count, "ten", "is not a number"),
        (sizes.count, "-5", "is not a number"),
        (sizes.count, "nan", "is not a number"),
        (sizes.count, "5GiB", "unit 'GiB'"),
        (sizes.size, "64", "unit 'none'"),
        (sizes.size, "64Gbit", "choose from B, kB"),
        (sizes.bandwidth, "25GB", "choose from kbit"),
    ],
)
def test_what_is_no_size_is_refused_with_the_reason(read, text, said):
    """The text says what was written and what would be right."""
    with pytest.raises(ValueError, match=said):
        read(text)


@settings(max_examples=50)
@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text):
    """Nothing else than a value from 0 on or a `ValueError` comes out."""
    for read in (sizes.count, sizes.size, sizes.bandwidth):
        try:
            value = read(text)
        except ValueError:
            continue
        assert value >= 0


@settings(max_examples=50)
@given(st.floats(min_value=0, max_value=1e18))
def test_what_is_written_for_people_is_short(amount):
    """Every amount has a unit that fits it."""
    assert len(sizes.of_bytes(amount)) <= 12
    assert len(sizes.of_bits(amount)) <= 18
