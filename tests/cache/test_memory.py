"""What the memory engine does beyond the contract: bounds, and claims restored from the log."""

import pytest

from groundswell.cache import MemoryCache
from groundswell.cache.claims import Claims
from groundswell.cache.counts import ReactionCounts
from groundswell.cache.gcra import RateLimits
from groundswell.contract.partition import key_hash64
from groundswell.contract.ports.cache import Change, Rate, Seed
from groundswell.contract.reactions import NO_COUNTS
from tests.clocks import FakeClock


@pytest.fixture
def clock():
    """The cache's clock."""
    return FakeClock()


def restore(cache, clock, *, age, comment_id="c1", offset=7):
    """Restore the claim of ada's key `k` on `v`, `age` seconds old."""
    cache.restore_claim(
        key_hash64("v", "ada", "k"),
        comment_id=comment_id,
        time_ms=5,
        digest=9,
        offset=offset,
        append_ms=clock.wall_ms() - round(age * 1000),
    )


async def claim(cache):
    """Claim ada's key `k` on `v`."""
    return await cache.claim("v", "ada", "k", comment_id="new", time_ms=6, digest=9)


async def test_a_claim_restored_from_the_log_answers_a_retry(clock):
    """After a restart the same key names the same comment, done, with its offset."""
    cache = MemoryCache(clock=clock)
    restore(cache, clock, age=60)
    answer = await claim(cache)
    assert (answer.comment_id, answer.time_ms, answer.fresh) == ("c1", 5, False)
    assert (answer.done, answer.offset, answer.digest) == (True, 7, 9)


async def test_a_restored_claim_ends_ten_minutes_after_its_record(clock):
    """The restart does not prolong it."""
    cache = MemoryCache(clock=clock)
    restore(cache, clock, age=500)
    clock.advance(99)
    assert not (await claim(cache)).fresh
    clock.advance(2)
    assert (await claim(cache)).fresh


async def test_records_that_are_too_old_claim_nothing(clock):
    """Their ten minutes have passed."""
    cache = MemoryCache(clock=clock)
    restore(cache, clock, age=601)
    assert (await claim(cache)).fresh


async def test_of_two_records_with_one_key_the_first_stands(clock):
    """In log order, as every reader decides."""
    cache = MemoryCache(clock=clock)
    restore(cache, clock, age=60, comment_id="first", offset=1)
    restore(cache, clock, age=50, comment_id="second", offset=2)
    assert (await claim(cache)).comment_id == "first"


def test_expired_claims_leave_the_memory():
    """Also when partitions are restored one after the other, out of order of time."""
    claims = Claims()
    for n, now in enumerate([50.0, 400.0, 100.0, 300.0]):
        claims.claim(n, comment_id="c", time_ms=0, digest=0, now=now)
    claims.claim(99, comment_id="c", time_ms=0, digest=0, now=1015.0)
    assert len(claims) == 1


def test_claims_are_bounded():
    """The oldest go first."""
    claims = Claims(claims_max=100)
    for n in range(1000):
        claims.claim(n, comment_id="c", time_ms=0, digest=0, now=float(n))
    assert len(claims) <= 100
    assert not claims.claim(999, comment_id="d", time_ms=0, digest=0, now=1000.0).fresh


def test_limits_that_nobody_uses_leave_the_memory():
    """A TAT that has passed says as much as none."""
    limits = RateLimits()
    rate = Rate(per_second=1.0, burst=5)
    for n in range(1000):
        limits.take(f"k{n}", rate, 0.0)
    for n in range(1000):
        limits.take("other", rate, 100.0 + n)
    assert len(limits) <= 2


def test_limits_are_bounded():
    """Whatever the number of keys in use."""
    limits = RateLimits(keys_max=50)
    for n in range(1000):
        limits.take(f"k{n}", Rate(per_second=0.001, burst=1), 0.0)
    assert len(limits) <= 51


def test_comments_used_longest_ago_are_forgotten():
    """They are seeded again when somebody reacts to them."""
    counts = ReactionCounts(comments_max=3)
    for n in range(3):
        counts.seed(Seed(f"c{n}", tuple(NO_COUNTS), {"ada": 0}))
    assert counts.react(Change("v", "c0", "ada", 1)) is not None
    counts.seed(Seed("c3", tuple(NO_COUNTS), {"ada": 0}))
    assert counts.react(Change("v", "c1", "ada", 1)) is None
    assert counts.react(Change("v", "c0", "ada", 0)) == (0,) * 6
    assert (len(counts), counts.codes) == (3, 3)


def test_users_of_one_hot_comment_are_bounded():
    """Its counts stay; users seen first are asked for again."""
    counts = ReactionCounts(codes_max=100)
    for n in range(250):
        counts.seed(Seed("hot", tuple(NO_COUNTS), {f"u{n}": 0}))
        assert counts.react(Change("v", "hot", f"u{n}", 1)) == (n + 1, 0, 0, 0, 0, 0)
    assert counts.codes <= 100
    assert counts.react(Change("v", "hot", "u0", 2)) is None


async def test_videos_without_viewers_leave_the_memory(clock):
    """Reports of other videos sweep them out."""
    cache = MemoryCache(clock=clock)
    for n in range(10):
        await cache.report_viewers(f"v{n}", "p", 1)
    clock.advance(20)
    for _ in range(12):
        await cache.report_viewers("live", "p", 1)
    assert cache.statistics().videos == 1
