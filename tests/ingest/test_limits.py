"""Address hashes: which addresses count as one."""

import pytest

from groundswell.ingest.limits import AddressHash


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("", "", True),
    ],
)
def test_addresses_of_one_household_are_one(one: str, other: str, *, same: bool) -> None:
    """A whole /64 is one subject of limits."""
    hashes = AddressHash(b"k" * 32)
    assert (hashes.of(one) == hashes.of(other)) is same


def test_without_the_key_a_hash_says_nothing() -> None:
    """Another key gives another hash, and no hash holds the address."""
    first, second = AddressHash(b"k" * 32).of("192.0.2.1"), AddressHash(b"l" * 32).of("192.0.2.1")
    assert first != second
    assert len(first) == 16
