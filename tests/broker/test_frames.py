"""Frames: what travels, and how."""

import json

from groundswell.broker.frames import Frame, PingFrame, UpdateFrame, welcome_frame


def test_an_update_has_only_the_parts_that_are_there(author):
    """Everything but the position may be absent."""
    assert json.loads(UpdateFrame("e:1", []).payload) == {"type": "update", "position": "e:1"}


def test_an_update_tells_comments_events_totals_hearts_and_viewers(author):
    """One message a tick; totals name the types that are not zero."""
    comment, other = author.comment("one"), author.comment("two")
    entries = [
        author.entry(comment, 0),
        author.entry(author.deletion(other.comment_id), 1),
    ]
    update = UpdateFrame(
        "e:2", entries, totals={comment.comment_id: (3, 0, 1)}, hearts=(40, 250), viewers=7
    )
    assert json.loads(update.payload) == {
        "type": "update",
        "position": "e:2",
        "comments": [json.loads(comment.public_json)],
        "events": [{"type": "deleted", "commentID": other.comment_id}],
        "reactions": [{"commentID": comment.comment_id, "reactionCount": {"likes": 3, "hahas": 1}}],
        "hearts": {"count": 40, "window_ms": 250},
        "viewers": 7,
    }


def test_comments_beyond_the_budget_are_counted_and_deleted_ones_are_not(author):
    """`skipped` is about the budget alone."""
    gone = author.entry(author.comment(), 2, shown=False)
    gone.public_json = None
    update = UpdateFrame(
        "e:3",
        [author.entry(author.comment(), 0), author.entry(author.comment(), 1, shown=False), gone],
    )
    message = json.loads(update.payload)
    assert len(message["comments"]) == 1
    assert message["skipped"] == 1


def test_a_frame_is_encoded_once_for_each_variant(author):
    """The same bytes go to every viewer."""
    update = UpdateFrame("e:1", [author.entry(author.comment("x" * 200), 0)])
    assert update.websocket is update.websocket
    assert update.sse is update.sse
    assert update.websocket.endswith(update.payload)
    assert update.sse == b"event: update\nid: e:1\ndata: " + update.payload + b"\n\n"


def test_cutting_out_a_comment_that_is_not_there_changes_nothing(author):
    """None says: this frame can stay."""
    assert UpdateFrame("e:1", [author.entry(author.comment(), 0)]).without("other") is None


def test_a_ping_is_a_message_and_an_rfc_ping_and_an_sse_comment():
    """So that clients that know nothing of ours answer, too."""
    ping = PingFrame("e:9")
    assert json.loads(ping.payload) == {"type": "ping", "position": "e:9"}
    assert ping.websocket == bytes((0x81, len(ping.payload))) + ping.payload + b"\x89\x00"
    assert ping.sse == b": ping\n\n"


def test_a_welcome_says_what_it_is_complete_to():
    """Unknown viewers are null."""
    frame = welcome_frame("e:5", [b'{"a":1}'], recovered=False, viewers=None, limits={"text": 500})
    assert isinstance(frame, Frame)
    assert json.loads(frame.payload) == {
        "type": "welcome",
        "position": "e:5",
        "recovered": False,
        "comments": [{"a": 1}],
        "viewers": None,
        "limits": {"text": 500},
    }
    recovered = welcome_frame("e:5", [], recovered=True, viewers=3, limits={})
    assert json.loads(recovered.payload)["recovered"] is True
    assert json.loads(recovered.payload)["viewers"] == 3
