"""How questions travel to Redis: gathered, bounded, and given up in time."""

import asyncio
import time

import pytest

from groundswell.cache.redis_breaker import Breaker
from groundswell.cache.redis_cache import RedisCache
from groundswell.cache.redis_flights import WAITING_MAX
from groundswell.cache.redis_pages import pack_page, unpack_page
from groundswell.contract.clock import SystemClock
from groundswell.contract.ports.cache import CacheUnavailable, Change, HotPage, Rate, Seed
from groundswell.contract.ports.store import StoredComment
from groundswell.contract.reactions import NO_COUNTS
from groundswell.contract.settings import RedisSettings

RATE = Rate(per_second=1000.0, burst=1000)


def test_two_failures_in_a_row_open_the_breaker():
    """An answer between them starts the count anew; a probe that worked closes it."""
    breaker = Breaker()
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert not breaker.open
    breaker.failed()
    breaker.failed()
    assert (breaker.open, breaker.opens) == (True, 1)
    breaker.close()
    breaker.failed()
    assert not breaker.open


@pytest.mark.parametrize(
    "url", ["", "localhost:6379", "http://u:hunter2@host", "redis://u:hunter2@host:port/0"]
)
async def test_a_url_that_is_none_is_said_at_the_start(url):
    """With the option's name, and without the password."""
    cache = RedisCache(RedisSettings(url=url), clock=SystemClock())
    with pytest.raises(ValueError, match=r"^redis\.url: ") as raised:
        await cache.start()
    assert "hunter2" not in str(raised.value)
    await cache.close()


@pytest.mark.parametrize("packed", [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x95\x02\x00\x00\x00\x90"])
def test_a_page_of_another_program_is_no_page(packed):
    """Broken bytes, other fields, another version: the store is asked instead."""
    assert unpack_page(packed) is None


def test_pages_survive_packing():
    """Whatever is in a comment."""
    page = HotPage(3, 5, 1 << 40, [StoredComment(7, 1 << 41, "c", '{"ü":"😀"}'.encode())])
    assert unpack_page(pack_page(page)) == page


@pytest.mark.stack
async def test_concurrent_questions_share_commands(connect):
    """A hundred at once are one command, whoever asks."""
    cache = await connect(timeout=5.0)
    before = cache.statistics()
    assert await asyncio.gather(*(cache.take(f"k{n}", RATE) for n in range(250))) == [0.0] * 250
    after = cache.statistics()
    assert (after.items - before.items, after.commands - before.commands) == (250, 3)


@pytest.mark.stack
async def test_each_asker_gets_its_own_answer(connect):
    """Answers of one command are not mixed up, nor those of kinds that share a flight."""
    cache = await connect(timeout=5.0)
    rates = [Rate(per_second=1.0 / (n + 1), burst=1) for n in range(150)]
    await asyncio.gather(*(cache.take(f"k{n}", rate) for n, rate in enumerate(rates)))
    takes = [cache.take(f"k{n}", rate) for n, rate in enumerate(rates)]
    claims = [
        cache.claim("v", "u", f"key{n % 75}", comment_id=f"c{n}", time_ms=n, digest=-n)
        for n in range(150)
    ]
    answers = await asyncio.gather(*takes, *claims)
    for n, wait in enumerate(answers[:150]):
        assert n < wait <= n + 1
    for n, claim in enumerate(answers[150:]):
        assert (claim.comment_id, claim.fresh) == (f"c{n % 75}", n < 75)
        assert (claim.time_ms, claim.digest) == (n % 75, -(n % 75))


@pytest.mark.stack
async def test_a_long_list_of_reactions_is_cut_and_stays_in_order(connect):
    """Redis does nothing else while it runs a script."""
    cache = await connect(timeout=5.0)
    users = [f"u{n}" for n in range(350)]
    await cache.seed([Seed("c", tuple(NO_COUNTS), dict.fromkeys(users, 0))])
    before = cache.statistics().commands
    answers = await cache.react([Change("v", "c", user, 2) for user in users])
    assert answers == [(0, n + 1, 0, 0, 0, 0) for n in range(350)]
    assert cache.statistics().commands - before == 4


@pytest.mark.stack
async def test_who_gives_up_waiting_disturbs_nobody(connect):
    """The flight goes on, the others get their answers."""
    cache = await connect(timeout=5.0)
    questions = [asyncio.ensure_future(cache.take(f"k{n}", RATE)) for n in range(20)]
    await asyncio.sleep(0)
    for question in questions[::2]:
        question.cancel()
    answers = await asyncio.gather(*questions, return_exceptions=True)
    assert answers[1::2] == [0.0] * 10
    assert cache.statistics().errors == 0


@pytest.mark.stack
async def test_a_loop_that_stood_still_is_not_taken_for_a_redis_that_does_not_answer(connect):
    """The answers are there, only unread: nothing is given up."""
    cache = await connect()
    for _ in range(5):
        question = asyncio.ensure_future(cache.take("k", RATE))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(stand_still)
        assert await question == 0.0
    assert cache.statistics().timeouts == 0


def stand_still():
    """Do what a collection of garbage or a large answer does to the loop, for longer."""
    began = time.monotonic()
    while time.monotonic() - began < 3 * RedisSettings().timeout:
        pass


@pytest.mark.stack
async def test_more_than_redis_keeps_up_with_is_refused(connect):
    """The limit is on what waits, so that nobody waits for long."""
    cache = await connect(timeout=5.0)
    questions = (cache.take(f"k{n}", RATE) for n in range(WAITING_MAX + 10))
    answers = await asyncio.gather(*questions, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, CacheUnavailable)]
    assert len(refused) == cache.statistics().overloads == 10
    assert cache.available()


@pytest.mark.stack
async def test_a_closed_cache_refuses(connect):
    """Whoever asks late is told as if Redis were away."""
    cache = await connect()
    await cache.close()
    with pytest.raises(CacheUnavailable):
        await cache.take("k", RATE)


@pytest.mark.stack
async def test_one_connection_is_enough(connect):
    """`redis.connections` bounds them; kinds then share one."""
    cache = await connect(connections=1, timeout=5.0)
    waits, viewers, counts = await asyncio.gather(
        cache.take("k", RATE), cache.viewers("v"), cache.react([Change("v", "c", "u", 1)])
    )
    assert (waits, viewers, counts) == (0.0, 0, [None])
