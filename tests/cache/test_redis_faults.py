"""Redis away, paused, emptied, restarted: nobody waits long, and nothing old is believed."""

import asyncio
import time

import pytest

from groundswell.cache.redis_cache import RedisCache
from groundswell.contract.clock import SystemClock
from groundswell.contract.ports.cache import CacheUnavailable, Change, HotPage, Rate, Seed
from groundswell.contract.ports.store import StoredComment
from groundswell.contract.reactions import NO_COUNTS
from groundswell.contract.settings import RedisSettings
from tests.cache.harness.own_redis import OwnRedis, wait_until

pytestmark = pytest.mark.stack

RATE = Rate(per_second=1000.0, burst=1000)
TIMEOUT = RedisSettings().timeout
SLACK = 0.15  # of a machine that does other things
WISH = Change("v", "c1", "ada", 1)
ZEROS = Seed("c1", tuple(NO_COUNTS), {"ada": 0, "bob": 0})


async def refused(question):
    """Return how long it took until a question was refused."""
    began = time.monotonic()
    with pytest.raises(CacheUnavailable):
        await question
    return time.monotonic() - began


async def open_breaker(cache):
    """Ask until Redis is bypassed."""
    for _ in range(2):
        await refused(cache.take("k", RATE))
    assert not cache.available()


async def test_a_paused_redis_is_given_up_after_two_timeouts(redis, connect):
    """Each question within twice the timeout; after two of them at once, without asking."""
    cache = await connect()
    redis.pause()
    for _ in range(2):
        assert await refused(cache.take("k", RATE)) < 2 * TIMEOUT + SLACK
    assert not cache.available()
    asked = cache.statistics().commands
    for question in (
        cache.take("k", RATE),
        cache.claim("v", "u", "k", comment_id="c", time_ms=1, digest=1),
        cache.mark_done("v", "u", "k", offset=1),
        cache.react([WISH]),
        cache.seed([ZEROS]),
        cache.page("v"),
        cache.put_page("v", HotPage(1, 0, 0, [])),
        cache.report_viewers("v", "p", 1),
        cache.viewers("v"),
    ):
        assert await refused(question) < TIMEOUT
    statistics = cache.statistics()
    assert (statistics.commands, statistics.timeouts, statistics.bypasses) == (asked, 2, 1)
    redis.go_on()


async def test_all_who_wait_for_a_paused_redis_are_told_in_time(redis, connect):
    """Those of the flight, those that gathered behind it, and of all kinds."""
    cache = await connect()
    redis.pause()
    questions = [cache.take(f"k{n}", RATE) for n in range(200)]
    questions += [cache.viewers("v") for _ in range(50)]
    first = asyncio.gather(*map(refused, questions))
    await asyncio.sleep(0)
    second = asyncio.gather(*(refused(cache.take(f"k{n}", RATE)) for n in range(200)))
    for took in [*await first, *await second]:
        assert took < 2 * TIMEOUT + SLACK
    redis.go_on()


async def test_redis_is_used_again_soon_after_it_goes_on(redis, connect):
    """A probe a second finds out."""
    cache = await connect()
    redis.pause()
    await open_breaker(cache)
    redis.go_on()
    await wait_until(cache.available)
    assert await cache.take("k", RATE) == 0.0


async def test_a_killed_redis_is_bypassed_and_used_again_when_it_is_back(redis, connect):
    """It comes back empty: scripts are loaded again, claims are free."""
    cache = await connect()
    await cache.claim("v", "u", "k", comment_id="c1", time_ms=1, digest=1)
    redis.kill()
    assert await refused(cache.take("k", RATE)) < 2 * TIMEOUT + SLACK
    await open_breaker_if_closed(cache)
    await redis.start()
    await wait_until(cache.available)
    claim = await cache.claim("v", "u", "k", comment_id="c2", time_ms=1, digest=1)
    assert claim.fresh


async def open_breaker_if_closed(cache):
    """Ask until Redis is bypassed, if it is not yet."""
    while cache.available():
        await refused(cache.take("k", RATE))


async def test_a_server_starts_without_redis(redis, tmp_path):
    """It is bypassed from the beginning and used once it is there."""
    redis.kill()
    cache = RedisCache(RedisSettings(url=redis.url), clock=SystemClock())
    await cache.start()
    assert not cache.available()
    await refused(cache.take("k", RATE))
    await redis.start()
    await wait_until(cache.available)
    assert await cache.take("k", RATE) == 0.0
    await cache.close()


async def test_a_server_starts_with_a_paused_redis(redis):
    """Connecting to it hangs; starting does not."""
    redis.pause()
    cache = RedisCache(RedisSettings(url=redis.url), clock=SystemClock())
    async with asyncio.timeout(3):
        await cache.start()
    assert not cache.available()
    await cache.close()
    redis.go_on()


async def test_lost_scripts_are_loaded_within_the_question(redis, connect):
    """SCRIPT FLUSH, or a failover to a server that never saw them: nobody notices."""
    cache = await connect()
    await redis.run(lambda client: client.script_flush())
    assert await cache.take("k", RATE) == 0.0
    assert (await cache.react([WISH])) == [None]
    assert cache.statistics().errors == 0


async def test_after_flushall_counts_are_to_be_seeded_again(redis, connect):
    """Nothing is counted on from zero."""
    cache = await connect()
    await cache.seed([ZEROS])
    assert await cache.react([WISH]) == [(1, 0, 0, 0, 0, 0)]
    await redis.run(lambda client: client.flushall())
    assert await cache.react([WISH]) == [None]


async def test_counts_that_missed_reactions_are_not_believed(redis, connect):
    """A paused Redis keeps its counts; while it was bypassed they fell behind."""
    cache, other = await connect(), await connect()
    await cache.seed([ZEROS])
    assert await cache.react([WISH]) == [(1, 0, 0, 0, 0, 0)]
    redis.pause()
    while cache.available():
        await refused(cache.react([Change("v", "c1", "bob", 1)]))
    redis.go_on()
    await wait_until(cache.available)
    await wait_for_new_counts(other)
    assert await cache.react([WISH]) == [None]


async def wait_for_new_counts(other):
    """Wait until another process is told to seed, too."""
    async with asyncio.timeout(5):
        while await other.react([WISH]) != [None]:  # noqa: ASYNC110  asked of another process
            await asyncio.sleep(0.005)


async def test_one_reaction_that_was_not_answered_makes_the_counts_new(redis, connect):
    """The breaker stayed closed, but nobody knows whether it was counted."""
    cache = await connect()
    await cache.seed([ZEROS])
    redis.pause()
    await refused(cache.react([Change("v", "c1", "bob", 1)]))
    redis.go_on()
    assert cache.available()
    assert await cache.react([WISH]) == [None]


async def test_counts_begun_right_after_an_outage_are_begun_again(redis, connect):
    """The store may not have had all; five seconds later the totals are those it has then."""
    cache = await connect()  # the counts of this Redis are as new as after an outage
    behind, right = Seed("c1", (1, 0, 0, 0, 0, 0), {"ada": 0}), Seed("c1", (8,) * 6, {"ada": 0})
    await cache.seed([behind])
    assert await cache.react([WISH]) == [(2, 0, 0, 0, 0, 0)]
    began = time.monotonic()
    while (counts := (await cache.react([Change("v", "c1", "ada", 0)]))[0]) != (8,) * 6:
        assert time.monotonic() - began < 5
        if counts is None:
            await cache.seed([right])
        await asyncio.sleep(0.01)


async def test_deleted_text_is_not_in_redis(redis, connect):
    """A page that is put without it leaves no copy behind."""
    cache = await connect()
    secret = StoredComment(1, 1, "c1", b'{"commentText":"a secret"}')
    other = StoredComment(2, 2, "c2", b'{"commentText":"fine"}')
    await cache.put_page("v", HotPage(1, 0, 3, [secret, other]))
    assert await holds(redis, b"a secret")
    await cache.put_page("v", HotPage(1, 0, 4, [other]))
    assert not await holds(redis, b"a secret")
    assert await holds(redis, b"fine")


async def holds(redis, text):
    """Tell whether any value in Redis has a text."""

    async def look(client):
        return [await client.hgetall(key) async for key in client.scan_iter()]

    return any(text in value for fields in await redis.run(look) for value in fields.values())


async def test_everything_is_under_the_prefix_and_ends_by_itself(redis, connect):
    """Whoever shares a Redis finds our keys; only the era of the counts stays."""
    cache = await connect(prefix="ours:")
    await cache.take("k", Rate(per_second=0.01, burst=1))
    await cache.claim("v", "u", "k", comment_id="c1", time_ms=1, digest=1)
    await cache.mark_done("v", "u", "k", offset=3)
    await cache.seed([ZEROS])
    await cache.react([WISH])
    await cache.put_page("v", HotPage(1, 0, 3, []))
    await cache.report_viewers("v", "p", 1)

    async def look(client):
        return {key: await client.pttl(key) async for key in client.scan_iter()}

    left = await redis.run(look)
    assert all(key.startswith(b"ours:") for key in left)
    assert [key for key, ttl in left.items() if ttl < 0] == [b"ours:counts"]
    assert len(left) == 6


async def test_a_wrong_password_is_said_at_the_start(tmp_path):
    """With the option's name, and without the password."""
    redis = OwnRedis(tmp_path, password="right-one")
    await redis.start()
    for url in (redis.url.replace("right-one", "wrong-one"), redis.url.replace(":right-one@", "")):
        cache = RedisCache(RedisSettings(url=url), clock=SystemClock())
        with pytest.raises(ValueError, match=r"^redis\.url: ") as raised:
            await cache.start()
        await cache.close()
        assert "wrong-one" not in str(raised.value)
    cache = RedisCache(RedisSettings(url=redis.url), clock=SystemClock())
    await cache.start()
    assert cache.available()
    await cache.close()
    redis.kill()


async def test_a_redis_that_refuses_writes_is_bypassed(redis, connect):
    """A replica, or one that is out of memory, answers at once; that it answers helps nobody."""
    cache = await connect()
    await redis.run(lambda client: client.replicaof("127.0.0.1", "1"))
    await open_breaker_if_closed(cache)
    assert cache.statistics().errors >= 2
    await redis.run(lambda client: client.replicaof("NO", "ONE"))
    await wait_until(cache.available)
