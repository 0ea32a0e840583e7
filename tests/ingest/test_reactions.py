"""Reactions: packed by tick, answered once they stand, with the best counts that are known."""

import asyncio
from typing import Any

import pytest

from groundswell.contract.events import Reaction, decode_reactions
from groundswell.contract.partition import partition_of
from groundswell.contract.ports.log import LogUnavailable, Topic
from groundswell.contract.ports.store import HeartTotals
from groundswell.contract.problems import Refused
from groundswell.contract.reactions import counts_by_name
from groundswell.ingest import packer as packer_module


async def react(world: Any, comment: str, reaction: str | None, user: str = "ada") -> Any:
    counts = await world.gate.react(
        "v1", comment, reaction, user=world.claims(user), origin=world.origin
    )
    return {name: n for name, n in counts_by_name(counts).items() if n}


async def heart(world: Any, reaction: str = "love", user: str = "ada") -> Any:
    counts = await world.gate.heart("v1", reaction, user=world.claims(user), origin=world.origin)
    return {name: n for name, n in counts_by_name(counts).items() if n}


def reactions_of(world: Any) -> list[Reaction]:
    return [r for record in world.log.reaction_records() for r in record.reactions]


async def test_a_reaction_is_counted_from_what_the_store_knows(world: Any) -> None:
    """The first touch of a comment is seeded with its totals, never with zeros."""
    comment = world.ids.mint("v1")
    world.store.known[comment] = (10, 3, 0, 0, 0, 0)
    assert await react(world, comment, "like") == {"likes": 11, "loves": 3}


async def test_another_type_replaces_and_none_takes_back(world: Any) -> None:
    """One reaction a user and comment, also where the store had it and not the cache."""
    comment = world.ids.mint("v1")
    world.store.known[comment] = (10, 3, 0, 0, 0, 0)
    world.store.codes[comment, "ada"] = 1
    assert await react(world, comment, "love") == {"likes": 9, "loves": 4}
    assert await react(world, comment, "love") == {"likes": 9, "loves": 4}
    assert await react(world, comment, None) == {"likes": 9, "loves": 3}
    assert [r.code for r in reactions_of(world)] == [2, 2, 0]


async def test_a_tally_that_was_faster_is_not_counted_twice(world: Any) -> None:
    """It wrote the reaction between the append and our look at the store."""
    comment = world.ids.mint("v1")
    world.store.known[comment] = (3, 0, 0, 0, 0, 0)
    world.store.codes[comment, "ada"] = 1
    world.store.counted_to = 1 << 40
    assert await react(world, comment, "like") == {"likes": 3}
    world.store.known[comment] = (4, 0, 0, 0, 0, 0)
    world.store.codes[comment, "bob"] = 1
    assert await react(world, comment, "like", "bob") == {"likes": 4}


async def test_reactions_of_one_tick_share_records_and_one_question(world: Any) -> None:
    """One record a partition, one call of the cache, each answered with its own comment."""
    comments = [world.ids.mint("v1") for _ in range(20)]
    answers = await asyncio.gather(
        *(react(world, comment, "like", f"u{n}") for n, comment in enumerate(comments))
    )
    assert answers == [{"likes": 1}] * 20
    assert len(world.log.reaction_records()) <= 4
    assert world.cache.asked == [20, 20]  # the second after seeding
    for (topic, partition), values in world.log.records.items():
        assert topic is Topic.REACTIONS
        keys = [r.comment_id for value in values for r in decode_reactions(value).reactions]
        assert {partition_of(key, 4) for key in keys} == {partition}


async def test_a_record_holds_one_reaction_of_a_user_to_a_comment(world: Any) -> None:
    """The later wish of a tick wins, and both are answered."""
    comment = world.ids.mint("v1")
    answers = await asyncio.gather(*(react(world, comment, r) for r in ("like", "wow", "sad")))
    assert reactions_of(world) == [Reaction("v1", comment, "ada", 5)]
    assert answers == [{"sads": 1}] * 3


async def test_what_arrives_during_a_flush_is_the_next_batch(world: Any) -> None:
    """Records of one comment and user never race each other."""
    comment = world.ids.mint("v1")
    world.log.held = asyncio.Event()
    first = asyncio.create_task(react(world, comment, "like"))
    await world.log.reached.wait()
    second = asyncio.create_task(react(world, comment, "love"))
    third = asyncio.create_task(react(world, comment, None))
    for _ in range(10):
        await asyncio.sleep(0)
    assert world.log.appends == 1
    world.log.held.set()
    assert await first == {"likes": 1}
    assert await second == await third == {}
    assert [r.code for r in reactions_of(world)] == [1, 0]
    await world.packer.close()


async def test_a_reaction_is_answered_only_once_it_stands(world: Any) -> None:
    """A failing log refuses, and the counts are not moved."""
    comment = world.ids.mint("v1")
    world.log.failure = LogUnavailable()
    with pytest.raises(Refused) as caught:
        await react(world, comment, "like")
    assert caught.value.code == "log_unavailable"
    assert world.cache.asked == []
    world.log.failure = None
    assert await react(world, comment, "like") == {"likes": 1}


async def test_an_unexpected_error_is_told_to_all_who_wait(
    world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits for ever, and the next tick works."""
    comment = world.ids.mint("v1")
    world.log.failure = RuntimeError("bug")
    with pytest.raises(Refused) as caught:
        await react(world, comment, "like")
    assert caught.value.code == "internal"
    assert "bug" in caplog.text
    world.log.failure = None
    assert await react(world, comment, "like") == {"likes": 1}


async def test_without_the_cache_the_stores_totals_answer(world: Any) -> None:
    """The best that is known, and no error."""
    comment = world.ids.mint("v1")
    world.store.known[comment] = (7, 0, 0, 0, 0, 0)
    world.cache.away = True
    assert await react(world, comment, "like") == {"likes": 7}
    assert len(reactions_of(world)) == 1


async def test_without_cache_and_store_the_reaction_still_stands(world: Any) -> None:
    """Zeros are answered, and nothing is seeded with them."""
    comment = world.ids.mint("v1")
    world.store.away = True
    assert await react(world, comment, "like") == {}
    assert world.cache.counts == {}
    world.cache.away = True
    assert await react(world, comment, "like") == {}
    assert len(reactions_of(world)) == 2


@pytest.mark.parametrize("comment", ["", "x", "5678", "0" * 36])
async def test_a_comment_that_is_not_ours_is_refused(world: Any, comment: str) -> None:
    """Neither the log nor a limit sees it."""
    with pytest.raises(Refused) as caught:
        await react(world, comment, "like")
    assert caught.value.code == "no_such_comment"
    assert world.cache.taken == {}


@pytest.mark.parametrize("reaction", ["", "likes", "LIKE", "dislike", "👍"])
async def test_an_unknown_reaction_is_refused(world: Any, reaction: str) -> None:
    """The table of reactions is closed."""
    for attempt in (react(world, world.ids.mint("v1"), reaction), heart(world, reaction)):
        with pytest.raises(Refused) as caught:
            await attempt
        assert caught.value.code == "unknown_reaction"


async def test_hearts_of_one_tick_are_one_count(world: Any) -> None:
    """Hearts are counted, not deduplicated."""
    answers = await asyncio.gather(*(heart(world) for _ in range(5)), heart(world, "like"))
    [record] = world.log.reaction_records()
    assert [(h.video_id, h.counts) for h in record.hearts] == [("v1", (1, 5, 0, 0, 0, 0))]
    assert answers == [{"likes": 1, "loves": 5}] * 6
    [(_, partition)] = world.log.records
    assert partition == partition_of("v1/p1", 4)


async def test_hearts_begin_at_the_store_and_never_fall(world: Any) -> None:
    """Sums over all sources, refreshed now and then, also when the store goes away."""
    world.store.heart_rows = [
        HeartTotals("v1", 0, (0, 4), 0),
        HeartTotals("v1", 3, (1, 2, 0, 0, 0, 0), 0),
    ]
    assert await heart(world) == {"likes": 1, "loves": 7}
    world.clock.advance(10)
    world.store.heart_rows = [HeartTotals("v1", 0, (0, 20), 0)]
    assert await heart(world) == {"likes": 1, "loves": 21}
    world.clock.advance(10)
    world.store.away = True
    assert await heart(world) == {"likes": 1, "loves": 22}


async def test_a_reaction_beyond_the_limit_is_refused(world: Any) -> None:
    """Reactions and hearts of one user share a limit."""
    comment = world.ids.mint("v1")
    for _ in range(20):
        await asyncio.gather(react(world, comment, "like"), heart(world))
    with pytest.raises(Refused) as caught:
        await heart(world)
    assert caught.value.code == "rate_limited"


async def test_too_many_waiting_reactions_are_refused(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that stands still fills no memory."""
    monkeypatch.setattr(packer_module, "WAITING_MAX", 3)
    world.log.held = asyncio.Event()
    waiting = [asyncio.create_task(heart(world)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as caught:
        await heart(world)
    assert caught.value.code == "busy"
    world.log.held.set()
    await asyncio.gather(*waiting)
    await world.packer.close()


async def test_a_large_tick_is_cut_into_records(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record stays below what the log takes."""
    monkeypatch.setattr(packer_module, "RECORD_ENTRIES_MAX", 10)
    comment = world.ids.mint("v1")
    await asyncio.gather(*(react(world, comment, "like", f"u{n}") for n in range(25)))
    assert [len(record.reactions) for record in world.log.reaction_records()] == [10, 10, 5]
