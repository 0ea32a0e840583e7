"""What a room has shown, with the totals and hearts that belong to it."""

import json

import pytest

from groundswell.broker.shown import FRAME_TOTALS, SHOWN_COMMENTS, Shown, is_newer
from groundswell.contract.events import VERSION, TotalsRecord


@pytest.fixture(name="shown")
def fixture_shown():
    """Nothing shown yet."""
    return Shown(now=0.0)


def hearts(count, *, offset, source=0, generation=1):
    return TotalsRecord(VERSION, "v", "", source, generation, offset, (count,))


def test_the_greater_generation_and_offset_wins(author):
    """Whatever order records come in."""
    old, new = author.totals("c", 1, offset=5), author.totals("c", 2, offset=6)
    assert is_newer(new, old)
    assert not is_newer(old, new)
    assert not is_newer(old, old)
    assert is_newer(TotalsRecord(VERSION, "v", "c", 0, 2, 0, (1,)), new)


def test_totals_are_kept_of_shown_and_announced_comments_alone(shown, author):
    """Of others nobody would know what to do with them."""
    comment = author.comment()
    totals = author.totals(comment.comment_id, 3, offset=1)
    assert not shown.accept(totals)
    shown.announce(comment.comment_id)
    assert shown.accept(totals)
    shown.remember([author.entry(comment, 0)])
    assert shown.take_totals() == {comment.comment_id: totals.counts}
    assert not shown.waiting


def test_only_the_latest_value_of_a_total_is_sent(shown, author):
    """Ten changes between two frames are one."""
    comment = author.comment()
    shown.remember([author.entry(comment, 0)])
    for offset in range(10):
        shown.accept(author.totals(comment.comment_id, offset, offset=offset))
    assert not shown.accept(author.totals(comment.comment_id, 99, offset=3))
    assert [counts[0] for counts in shown.take_totals().values()] == [9]


def test_a_frame_carries_a_bounded_number_of_totals(shown, author):
    """The rest waits for the next frame, oldest change first."""
    comments = [author.comment() for _ in range(FRAME_TOTALS + 50)]
    shown.remember([author.entry(comment, n) for n, comment in enumerate(comments)])
    for comment in comments:
        shown.accept(author.totals(comment.comment_id, 1, offset=1))
    assert list(shown.take_totals()) == [c.comment_id for c in comments[:FRAME_TOTALS]]
    assert shown.waiting
    assert len(shown.take_totals()) == 50
    assert not shown.waiting


def test_the_oldest_comments_are_forgotten_with_their_totals(shown, author):
    """A room's memory is bounded."""
    comments = [author.comment() for _ in range(SHOWN_COMMENTS + 1)]
    shown.remember([author.entry(comments[0], 0)])
    shown.accept(author.totals(comments[0].comment_id, 1, offset=1))
    shown.remember([author.entry(c, n) for n, c in enumerate(comments[1:], 1)])
    assert len(shown.newest(SHOWN_COMMENTS + 10)) == SHOWN_COMMENTS
    assert not shown.waiting
    assert not shown.accept(author.totals(comments[0].comment_id, 2, offset=2))


def test_newest_returns_objects_with_reactions_in_order(shown, author):
    """What a welcome is made of."""
    comments = [author.comment(str(n)) for n in range(5)]
    shown.remember([author.entry(c, n) for n, c in enumerate(comments)])
    shown.accept(author.totals(comments[4].comment_id, 2, offset=1))
    found = [json.loads(text) for text in shown.newest(2)]
    assert [(c["commentText"], c["reactions"]) for c in found] == [("3", {}), ("4", {"likes": 2})]
    assert shown.newest(0) == []


def test_a_deleted_comment_is_forgotten(shown, author):
    """With its totals, sent or not."""
    comment = author.comment()
    shown.remember([author.entry(comment, 0)])
    shown.accept(author.totals(comment.comment_id, 2, offset=1))
    shown.forget(comment.comment_id)
    assert shown.newest(10) == []
    assert shown.take_totals() == {}
    assert shown.latest_totals() == {}


def test_comments_beyond_the_budget_are_not_shown(shown, author):
    """Neither in a welcome nor by totals."""
    comment = author.comment()
    shown.remember([author.entry(comment, 0, shown=False)])
    assert shown.newest(10) == []
    assert not shown.accept(author.totals(comment.comment_id, 1, offset=1))


def test_hearts_are_sent_as_increments_over_all_sources(shown):
    """Totals come, differences go; old records and sources in any order change nothing."""
    shown.accept(hearts(100, offset=1))
    shown.settle()
    assert shown.take_hearts(0.1, least_window=0.25) is None
    shown.accept(hearts(110, offset=2))
    shown.accept(hearts(5, offset=1, source=1))
    shown.accept(hearts(105, offset=1))
    assert shown.take_hearts(0.5, least_window=0.25) == (15, 500)
    assert shown.take_hearts(0.6, least_window=0.25) is None


def test_the_window_of_hearts_is_bounded_on_both_sides(shown):
    """At least a tick; after a pause they fly at once."""
    shown.accept(hearts(1, offset=1))
    assert shown.take_hearts(0.01, least_window=0.25) == (1, 250)
    shown.accept(hearts(2, offset=2))
    assert shown.take_hearts(60.0, least_window=0.25) == (1, 1000)
