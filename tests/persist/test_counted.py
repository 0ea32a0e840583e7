"""Rows and counts in memory."""

from groundswell.contract.ports.store import HeartTotals, ReactionRow
from groundswell.persist.counted import CountedComment, CountedComments, CountedHearts


def test_another_reaction_replaces_the_first() -> None:
    """The count is of rows, so one user counts once."""
    comment = CountedComment()
    assert comment.react("ada", 1, 10)
    assert comment.react("bob", 1, 10)
    assert comment.react("ada", 3, 11)
    assert comment.counts == [1, 0, 1, 0, 0, 0]
    assert comment.react("bob", 0, 12)
    assert comment.counts == [0, 0, 1, 0, 0, 0]
    assert comment.offset == 12


def test_what_changes_nothing_is_no_change() -> None:
    """Taking back nothing, the same again, and a record that a row is as new as."""
    comment = CountedComment.of_rows([ReactionRow("v", "c", "ada", 2, 10)])
    assert not comment.react("bob", 0, 11)
    assert not comment.react("ada", 2, 12)
    assert not comment.react("ada", 5, 10)
    assert not comment.react("ada", 5, 9)
    assert comment.counts == [0, 1, 0, 0, 0, 0]
    assert comment.offset == 10


def test_hearts_go_on_from_what_is_stored() -> None:
    """A shorter list of an older program is padded."""
    hearts = CountedHearts.of_totals(HeartTotals("v", 0, (5, 1), 7))
    hearts.add((1, 0, 2))
    assert (hearts.counts, hearts.offset) == ([6, 1, 2, 0, 0, 0], 7)


def test_the_comments_used_longest_ago_are_forgotten() -> None:
    """Down to the bound of rows, each comment counting as one by itself."""
    comments = CountedComments(rows_max=6)
    for name in "abc":
        comments.add(("v", name), CountedComment())
        comments.react(("v", name), "ada", 1, 1)
    comments.react(("v", "a"), "bob", 1, 2)
    comments.forget_oldest()
    assert ("v", "b") not in comments
    assert len(comments) == 2


def test_pinned_comments_and_the_last_used_stay() -> None:
    """Whatever the bound."""
    comments = CountedComments(rows_max=1)
    for name in "abc":
        comments.add(("v", name), CountedComment())
        comments.react(("v", name), "ada", 1, 1)
    pinned = comments.react(("v", "a"), "bob", 1, 2)
    comments.react(("v", "c"), "bob", 1, 2)
    assert pinned is not None
    pinned.pins += 1
    comments.forget_oldest()
    assert [name for name in "abc" if ("v", name) in comments] == ["a", "c"]
    pinned.pins -= 1
    comments.forget_oldest()
    assert [name for name in "abc" if ("v", name) in comments] == ["c"]
