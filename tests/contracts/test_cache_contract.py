"""What every engine of the cache must do (`contract/ports/cache.py`)."""

import pytest

from groundswell.contract.ports.cache import Cache, Change, HotPage, Rate, Seed
from groundswell.contract.ports.store import StoredComment
from groundswell.contract.reactions import NO_COUNTS

SLOW = Rate(per_second=2.0, burst=3)


async def claim(cache: Cache, key: str = "k1", *, comment_id: str = "c1", user: str = "ada"):
    """Claim a key for a comment."""
    return await cache.claim("v", user, key, comment_id=comment_id, time_ms=5, digest=77)


async def test_a_burst_passes_and_then_the_rate_holds(cache, clock):
    """`burst` at once, then `per_second`."""
    assert [await cache.take("k", SLOW) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert await cache.take("k", SLOW) == pytest.approx(0.5)
    clock.advance(0.5)
    assert await cache.take("k", SLOW) == 0.0
    assert await cache.take("k", SLOW) > 0.0


async def test_who_waits_as_long_as_told_is_let_through(cache, clock):
    """The answer is the time until the next one is allowed, not a guess."""
    rate = Rate(per_second=3.0, burst=1)
    for _ in range(50):
        assert await cache.take("k", rate) == 0.0
        clock.advance(await cache.take("k", rate))


async def test_a_refused_take_costs_nothing(cache, clock):
    """Hammering at a limit does not move it away."""
    for _ in range(3):
        await cache.take("k", SLOW)
    waits = [await cache.take("k", SLOW) for _ in range(10)]
    assert waits == pytest.approx([0.5] * 10)


async def test_a_full_burst_comes_back_after_a_rest(cache, clock):
    """Nothing more than the burst is saved up, however long the rest."""
    for _ in range(3):
        await cache.take("k", SLOW)
    clock.advance(3600)
    assert [await cache.take("k", SLOW) == 0.0 for _ in range(4)] == [True, True, True, False]


async def test_keys_have_limits_of_their_own(cache):
    """One user's limit does not touch another's."""
    for _ in range(4):
        await cache.take("a", SLOW)
    assert await cache.take("b", SLOW) == 0.0


async def test_one_is_taken_from_all_limits_or_from_none(cache, clock):
    """What one limit refuses takes nothing from the others; the longest wait is told."""
    once, seldom = Rate(per_second=1.0, burst=1), Rate(per_second=0.25, burst=1)
    assert await cache.take_all([("user", once), ("address", SLOW)]) == 0.0
    assert await cache.take_all([("user", once), ("address", SLOW)]) == pytest.approx(1.0)
    assert [await cache.take("address", SLOW) for _ in range(2)] == [0.0, 0.0]
    assert await cache.take("other", seldom) == 0.0
    waiting = [("user", once), ("address", SLOW), ("other", seldom)]
    assert await cache.take_all(waiting) == pytest.approx(4.0)
    clock.advance(4.0)
    assert await cache.take_all(waiting) == 0.0


async def test_the_first_claim_is_fresh_and_the_second_names_the_first(cache):
    """A repeated key gives back the id, time and digest of the first."""
    first = await claim(cache)
    assert (first.fresh, first.done, first.comment_id, first.time_ms) == (True, False, "c1", 5)
    again = await cache.claim("v", "ada", "k1", comment_id="c2", time_ms=9, digest=78)
    assert (again.fresh, again.done) == (False, False)
    assert (again.comment_id, again.time_ms, again.digest) == ("c1", 5, 77)


async def test_a_claim_is_done_once_its_record_is_in_the_log(cache):
    """`mark_done` gives later callers the offset."""
    await claim(cache)
    await cache.mark_done("v", "ada", "k1", offset=42)
    again = await claim(cache, comment_id="c2")
    assert (again.comment_id, again.done, again.fresh, again.offset) == ("c1", True, False, 42)


async def test_marking_an_unknown_claim_changes_nothing(cache):
    """The cache may have lost a claim between the two calls."""
    await cache.mark_done("v", "ada", "k1", offset=42)
    assert (await claim(cache)).fresh


async def test_claims_are_by_video_user_and_key(cache):
    """The same key of another user or another video is another claim."""
    await claim(cache)
    assert (await claim(cache, user="bob")).fresh
    assert (await cache.claim("w", "ada", "k1", comment_id="c", time_ms=1, digest=1)).fresh
    assert (await claim(cache, "k2")).fresh


async def test_a_claim_lasts_ten_minutes(cache, clock):
    """Just before it stands, after it the key is free."""
    await claim(cache)
    clock.advance(599)
    assert not (await claim(cache, comment_id="c2")).fresh
    clock.advance(2)
    assert (await claim(cache, comment_id="c3")).fresh
    assert (await claim(cache, comment_id="c4")).comment_id == "c3"


def wish(code: int, user: str = "ada", comment: str = "c1") -> Change:
    """Return one user's wish."""
    return Change("v", comment, user, code)


async def test_an_unknown_comment_is_to_be_seeded_first(cache):
    """None, and nothing is changed."""
    assert await cache.react([wish(1)]) == [None]


async def test_reactions_are_set_replaced_and_taken_back(cache):
    """One reaction a user: another replaces it, 0 takes it back."""
    await cache.seed([Seed("c1", tuple(NO_COUNTS), {"ada": 0})])
    assert await cache.react([wish(1)]) == [(1, 0, 0, 0, 0, 0)]
    assert await cache.react([wish(2)]) == [(0, 1, 0, 0, 0, 0)]
    assert await cache.react([wish(2)]) == [(0, 1, 0, 0, 0, 0)]
    assert await cache.react([wish(0)]) == [(0, 0, 0, 0, 0, 0)]


async def test_wishes_of_one_call_are_applied_in_order(cache):
    """Each answer is the state after its own wish; an unknown one between them is None."""
    await cache.seed([Seed("c1", (5, 0, 0, 0, 0, 0), {"ada": 0, "bob": 1})])
    answers = await cache.react([wish(1), wish(1, "eve"), wish(3, "bob"), wish(0)])
    assert answers == [(6, 0, 0, 0, 0, 0), None, (5, 0, 1, 0, 0, 0), (4, 0, 1, 0, 0, 0)]


async def test_an_unknown_user_is_to_be_seeded_first(cache):
    """What the user felt before decides whether the count grows."""
    await cache.seed([Seed("c1", (5, 0, 0, 0, 0, 0), {})])
    assert await cache.react([wish(1)]) == [None]
    await cache.seed([Seed("c1", (5, 0, 0, 0, 0, 0), {"ada": 1})])
    assert await cache.react([wish(1)]) == [(5, 0, 0, 0, 0, 0)]


async def test_a_seed_never_replaces_what_is_there(cache):
    """The store is behind the cache: its totals come too late."""
    await cache.seed([Seed("c1", tuple(NO_COUNTS), {"ada": 0})])
    await cache.react([wish(1)])
    await cache.seed([Seed("c1", (9, 9, 9, 9, 9, 9), {"ada": 0, "bob": 0})])
    assert await cache.react([wish(1)]) == [(1, 0, 0, 0, 0, 0)]
    assert await cache.react([wish(1, "bob")]) == [(2, 0, 0, 0, 0, 0)]


async def test_totals_that_hold_a_wish_already_do_not_count_it_twice(cache):
    """The cache takes the totals, or adds the wish to counts of its own."""
    ahead = Seed("c1", (5, 0, 0, 0, 0, 0), {"ada": 1}, {"ada": 0})
    await cache.seed([ahead])
    assert await cache.react([wish(1)]) == [(5, 0, 0, 0, 0, 0)]
    await cache.seed([Seed("c1", (6, 0, 0, 0, 0, 0), {"bob": 1}, {"bob": 0})])
    assert await cache.react([wish(1, "bob")]) == [(6, 0, 0, 0, 0, 0)]
    await cache.seed([Seed("c1", (6, 1, 0, 0, 0, 0), {"eve": 2}, {"eve": 1})])
    assert await cache.react([wish(2, "eve")]) == [(5, 1, 0, 0, 0, 0)]


async def test_viewers_are_summed_over_processes(cache):
    """The latest report of each process counts."""
    assert await cache.viewers("v") == 0
    await cache.report_viewers("v", "p1", 10)
    await cache.report_viewers("v", "p2", 5)
    await cache.report_viewers("v", "p1", 7)
    await cache.report_viewers("w", "p1", 100)
    assert await cache.viewers("v") == 12


async def test_a_process_that_reports_no_more_is_forgotten(cache, clock):
    """After 15 s its viewers are gone."""
    await cache.report_viewers("v", "p1", 10)
    clock.advance(10)
    await cache.report_viewers("v", "p2", 5)
    assert await cache.viewers("v") == 15
    clock.advance(6)
    assert await cache.viewers("v") == 5


def a_page(upto: int, *texts: bytes, generation: int = 1) -> HotPage:
    """Return a page of these comments, complete to `upto`."""
    comments = [StoredComment(n, 1000 + n, f"c{n}", text) for n, text in enumerate(texts)]
    return HotPage(generation, 0, upto, comments)


async def test_a_page_is_given_back_as_it_was_put(cache):
    """None until then; each video has its own."""
    assert await cache.page("v") is None
    page = a_page(7, b'{"a":1}', '{"b":"ü"}'.encode())
    await cache.put_page("v", page)
    assert await cache.page("v") == page
    assert await cache.page("w") is None


async def test_an_older_page_never_replaces_a_newer_one(cache):
    """Whoever was paused and comes back late changes nothing."""
    await cache.put_page("v", a_page(9, b"new"))
    await cache.put_page("v", a_page(8, b"old"))
    assert await cache.page("v") == a_page(9, b"new")
    await cache.put_page("v", a_page(3, b"other", generation=2))
    await cache.put_page("v", a_page(20, b"new", generation=1))
    assert await cache.page("v") == a_page(3, b"other", generation=2)


async def test_the_cache_is_available_while_it_answers(cache):
    """Nothing has failed."""
    await cache.take("k", SLOW)
    assert cache.available()


async def test_closing_twice_is_harmless(cache):
    """`close` is idempotent."""
    await cache.close()
    await cache.close()
