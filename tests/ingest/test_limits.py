"""Address hashes: which addresses count as one."""

from collections.abc import Sequence

import pytest

from groundswell.cache import MemoryCache
from groundswell.contract.ports.cache import CacheUnavailable, Rate
from groundswell.contract.problems import Refused
from groundswell.contract.settings import LimitsSettings
from groundswell.ingest.limits import AddressHash, Limits
from tests.clocks import FakeClock


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


class Away(MemoryCache):
    """A shared cache that may be away."""

    away = False

    async def take_all(self, limits: Sequence[tuple[str, Rate]]) -> float:
        if self.away:
            raise CacheUnavailable
        return await super().take_all(limits)


SLOW = LimitsSettings(
    user_comments=0.1, user_comments_burst=2, address_comments=0.1, address_comments_burst=4
)
HOME = b"h" * 16


async def refuses(limits: Limits, user: str) -> bool:
    """Tell whether one more comment of a user is too many."""
    try:
        await limits.take_comment("v", user, HOME)
    except Refused as refused:
        return refused.code == "rate_limited"
    return False


async def test_one_who_is_too_fast_takes_nothing_from_the_address() -> None:
    """Others behind it may still write, up to its own limit."""
    limits = Limits(SLOW, MemoryCache(clock=FakeClock()))
    assert [await refuses(limits, "ada") for _ in range(9)] == [False] * 2 + [True] * 7
    assert [await refuses(limits, "bob") for _ in range(2)] == [False] * 2
    assert await refuses(limits, "eve")


async def test_while_the_cache_is_away_limits_hold_in_this_process() -> None:
    """By the fallback; without one nobody is refused."""
    cache, clock = Away(clock=FakeClock()), FakeClock()
    limits = Limits(SLOW, cache, fallback=MemoryCache(clock=clock))
    cache.away = True
    assert [await refuses(limits, "ada") for _ in range(3)] == [False, False, True]
    cache.away = False
    assert [await refuses(limits, "ada") for _ in range(3)] == [False, False, True]
    cache.away = True
    assert [await refuses(Limits(SLOW, cache), "ada") for _ in range(9)] == [False] * 9
