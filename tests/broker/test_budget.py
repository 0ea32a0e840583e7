"""The display budget: a sample that every broker picks alike."""

import pytest

from groundswell.broker.budget import DisplayBudget


@pytest.fixture(name="ids")
def fixture_ids(author):
    """Thousands of comment ids."""
    return [author.ids.mint("v") for _ in range(3000)]


def test_everything_is_shown_below_the_rate(ids):
    """A room that is not fast loses nothing."""
    budget = DisplayBudget(50)
    shown = [
        budget.shows(second * 1000 + i * 20, ids[second * 50 + i], privileged=False)
        for second in range(10)
        for i in range(50)
    ]
    assert all(shown)


def test_rate_zero_shows_everything(ids):
    """0 means that there is no budget."""
    budget = DisplayBudget(0)
    assert all(budget.shows(1000, comment_id, privileged=False) for comment_id in ids)


def test_a_fast_room_shows_about_the_rate_in_each_second(ids):
    """The threshold follows the number of comments in the second before."""
    budget = DisplayBudget(50)
    for comment_id in ids[:1000]:
        budget.shows(0, comment_id, privileged=False)
    shown = sum(budget.shows(1000, comment_id, privileged=False) for comment_id in ids[1000:2000])
    assert 35 <= shown <= 70


def test_the_first_half_of_the_budget_always_passes(ids):
    """Whatever the hash says: a second begins with comments."""
    budget = DisplayBudget(50)
    for comment_id in ids[:2000]:
        budget.shows(0, comment_id, privileged=False)
    assert all(budget.shows(1000, comment_id, privileged=False) for comment_id in ids[2000:2025])


def test_privileged_comments_are_always_shown(ids):
    """Moderators are never sampled away."""
    budget = DisplayBudget(2)
    for comment_id in ids[:1000]:
        budget.shows(0, comment_id, privileged=False)
    assert all(budget.shows(1000, comment_id, privileged=True) for comment_id in ids[1000:2000])


def test_a_quiet_second_ends_the_sampling(ids):
    """A gap means that the second before had nothing."""
    budget = DisplayBudget(10)
    for comment_id in ids[:1000]:
        budget.shows(0, comment_id, privileged=False)
    assert all(budget.shows(2000, comment_id, privileged=False) for comment_id in ids[1000:1500])


def test_a_spent_budget_decides_like_a_new_one(ids):
    """So it can be forgotten without any broker deciding differently."""
    old = DisplayBudget(10)
    for comment_id in ids[:100]:
        old.shows(5_999, comment_id, privileged=False)
    assert not old.is_spent(6_999)
    assert old.is_spent(7_000)
    new = DisplayBudget(10)
    for second in (7, 8):
        for comment_id in ids[100 * second : 100 * second + 100]:
            at = second * 1000
            assert old.shows(at, comment_id, privileged=False) == new.shows(
                at, comment_id, privileged=False
            )
