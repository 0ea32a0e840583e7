"""Partitions: the published vectors of the hash, and ours."""

import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.contract.partition import key_hash64, partition_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("test", 0xBA6BD213),
        ("Hello, world!", 0xC0363E43),
        ("The quick brown fox jumps over the lazy dog", 0x2E4FF723),
    ],
)
def test_the_hash_is_murmur3_x86_32_with_seed_0(text, expected):
    """Vectors published for MurmurHash3, unsigned."""
    assert mmh3.hash(text, seed=0, signed=False) == expected
    assert partition_of(text, 1 << 32) == expected


@pytest.mark.parametrize(
    ("key", "of_64", "of_12"),
    [
        ("", 0, 0),
        ("a", 50, 2),
        ("demo", 26, 10),
        ("video-1", 63, 3),
        ("0192f3a0-0000-7000-8000-000000000000", 34, 2),
        ("x" * 64, 13, 9),
    ],
)
def test_keys_stay_in_their_partition(key, of_64, of_12):
    """A change here would tear videos apart: their old comments would be elsewhere."""
    assert (partition_of(key, 64), partition_of(key, 12)) == (of_64, of_12)


@given(st.text(), st.integers(1, 4096))
def test_a_partition_is_within_the_topic(key, partitions):
    """Whatever the key, other scripts included."""
    assert 0 <= partition_of(key, partitions) < partitions


def test_the_hash_of_a_key_stays_the_same():
    """It is in the log, and readers of other versions compare it."""
    assert key_hash64("demo", "ada", "k1") == 2144261951795843186


NAME = st.text("abc", min_size=0, max_size=3)


@given(st.tuples(NAME, NAME, NAME), st.tuples(NAME, NAME, NAME))
def test_different_triples_have_different_hashes(one, two):
    """Moving a letter from one part to the next is another triple."""
    assert (key_hash64(*one) == key_hash64(*two)) == (one == two)
