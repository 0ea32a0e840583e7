"""The checker itself, on histories that are wrong on purpose."""

import json

import pytest

from tests.acceptance.harness import checker
from tests.acceptance.harness.history import History, Sent
from tests.acceptance.harness.viewers import Seen, Segment

ORDER = ["a", "b", "c", "d", "e"]


def history_of(*ids: str) -> History:
    """Return a history in which these comments were acknowledged, in this order."""
    history = History()
    for offset, comment_id in enumerate(ids):
        sent = Sent("v", "ada", f"text {comment_id}", f"ref-{comment_id}")
        history.sent[sent.ref] = sent
        history.unknown_comments.add(sent.ref)
        history.accept(sent, comment_id, f"0123456789abcdef:{offset + 1}")
    return history


def found(*ids: str) -> list[tuple[str, str | None]]:
    """Return what a place that holds these comments says."""
    return [(comment_id, f"ref-{comment_id}") for comment_id in ids]


def lost_or_doubled(history: History, *ids: str) -> list[str]:
    """Check a place that holds these comments."""
    sent = history.acknowledged("v")
    return checker.lost_or_doubled(sent, found(*ids), deleted=history.deleted)


def test_a_right_history_has_no_violations() -> None:
    """The checker is silent where nothing is wrong."""
    history = history_of(*ORDER)
    assert lost_or_doubled(history, *ORDER) == []
    assert checker.unexpected(found(*ORDER), history, video="v") == []
    assert checker.out_of_order(ORDER, history.acknowledged("v")) == []
    segments = [Segment(["a", "b"]), Segment(["b", "c", "d", "e"])]
    assert checker.gaps(segments, ORDER, deleted=()) == []
    assert checker.incomplete(segments, ORDER, deleted=()) == []


def test_a_lost_comment_is_found() -> None:
    """I1."""
    assert len(lost_or_doubled(history_of(*ORDER), "a", "b", "d", "e")) == 1


def test_a_comment_without_an_answer_may_be_lost() -> None:
    """What was never acknowledged is no violation, there or not."""
    history = history_of("a")
    history.sent["x"] = Sent("v", "ada", "x", "x")
    assert lost_or_doubled(history, "a") == []


def test_a_doubled_row_and_a_doubled_ref_are_found() -> None:
    """I2: the same id twice, and one key under two ids."""
    history = history_of("a", "b")
    assert len(lost_or_doubled(history, "a", "b", "b")) == 2
    twice = [("a", "ref-a"), ("b", "ref-b"), ("z", "ref-b")]
    sent = history.acknowledged("v")
    assert checker.lost_or_doubled(sent, twice, deleted=()) == ["I2 ref ref-b is there 2 times"]


def test_a_deleted_comment_that_is_still_there_is_found() -> None:
    """A deletion that was acknowledged holds."""
    history = history_of("a", "b")
    history.delete("b")
    assert lost_or_doubled(history, "a") == []
    assert len(lost_or_doubled(history, "a", "b")) == 1


def test_a_comment_that_nobody_sent_is_found() -> None:
    """What is there was sent by somebody."""
    assert len(checker.unexpected(found("a", "z"), history_of("a"), video="v")) == 1


def test_an_order_that_differs_from_the_positions_is_found() -> None:
    """I3."""
    assert (
        len(checker.out_of_order(["a", "c", "b"], history_of("a", "b", "c").acknowledged("v"))) == 1
    )


@pytest.mark.parametrize(
    "shown",
    [["a", "c"], ["b", "a"], ["a", "a"], ["a", "b", "z"], ["c", "d", "d", "e"]],
    ids=["gap", "inversion", "double", "foreign", "double later"],
)
def test_a_segment_that_is_not_a_piece_of_the_order_is_found(shown: list[str]) -> None:
    """I2, I3, I4 on a screen."""
    assert checker.gaps([Segment(shown)], ORDER, deleted=()) != []


def test_deleted_comments_may_be_missing_from_a_segment() -> None:
    """Whether a viewer saw a comment before its deletion is chance."""
    assert checker.gaps([Segment(["a", "c"])], ORDER, deleted={"b"}) == []
    assert checker.gaps([Segment(["a", "b", "c"])], ORDER, deleted={"b"}) == []


def test_an_end_that_never_came_is_found() -> None:
    """I4 at the end: silence is a gap, too."""
    assert checker.incomplete([Segment(["a", "b"])], ORDER, deleted=()) != []
    assert checker.incomplete([], ORDER, deleted=()) != []
    assert checker.incomplete([Segment(["d"])], ORDER, deleted={"e"}) == []


def test_drifting_totals_are_found() -> None:
    """I5: an absent type is zero, a wrong number is a violation."""
    history = history_of("a")
    history.react("a", "ada", "like")
    history.react("a", "bob", "love")
    history.react("a", "bob", None)
    assert checker.wrong_totals(history.recount(), {"a": {"likes": 1}}) == []
    assert len(checker.wrong_totals(history.recount(), {"a": {"likes": 1, "loves": 1}})) == 1
    assert len(checker.wrong_totals(history.recount(), {})) == 1


def test_a_second_answer_with_another_id_is_an_error() -> None:
    """One key, one comment: the history refuses to be told otherwise."""
    history = history_of("a")
    with pytest.raises(AssertionError, match="2nd time"):
        history.accept(history.sent["ref-a"], "b", None)


def test_a_viewer_keeps_segments_apart() -> None:
    """A welcome that did not recover begins anew; one that did goes on."""

    def welcome(*, recovered: bool, shown: list[str]) -> str:
        comments = [{"commentID": one} for one in shown]
        return json.dumps(
            {"type": "welcome", "position": "p", "recovered": recovered, "comments": comments}
        )

    update = json.dumps({"type": "update", "position": "q", "comments": [{"commentID": "b"}]})
    seen = Seen()
    seen.take(welcome(recovered=False, shown=["a"]), reconnected=False)
    seen.take(update, reconnected=False)
    seen.take(welcome(recovered=True, shown=[]), reconnected=True)
    assert [segment.shown for segment in seen.segments] == [["a", "b"]]
    seen.take(welcome(recovered=False, shown=["b", "c"]), reconnected=True)
    assert [segment.shown for segment in seen.segments] == [["a", "b"], ["b", "c"]]
    assert seen.recovered == [True, False]
    assert seen.position == "p"
