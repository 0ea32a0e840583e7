"""The ring: bounded by age and bytes, rewritten by deletions."""

import json

import pytest

from groundswell.broker.frames import Frame, UpdateFrame
from groundswell.broker.ring import Ring


def frame(size=10):
    return Frame(b"update", "p", b"x" * size)


def test_numbers_go_on_while_old_frames_go():
    """A cursor keeps its meaning whatever is dropped."""
    ring = Ring(seconds=5, limit_bytes=1000)
    for second in range(10):
        ring.append(frame(), float(second))
    assert (ring.first, ring.end) == (4, 10)


def test_bytes_bound_the_ring_and_the_newest_always_stays():
    """A frame larger than the whole ring is still sent."""
    ring = Ring(seconds=100, limit_bytes=100)
    for _ in range(5):
        ring.append(frame(40), 0.0)
    assert (ring.first, ring.end, ring.bytes) == (3, 5, 80)
    ring.append(frame(500), 0.0)
    assert (ring.first, ring.end, ring.bytes) == (5, 6, 500)


def test_a_frame_that_is_not_kept_is_an_error_not_another_frame():
    """Before the first, a deque would count from its end."""
    ring = Ring(seconds=1, limit_bytes=1000)
    ring.append(frame(), 0.0)
    ring.append(frame(), 10.0)
    with pytest.raises(IndexError):
        ring[0]
    with pytest.raises(IndexError):
        ring[2]


def test_a_deletion_rewrites_the_frames_that_have_the_comment(author):
    """The text is gone, the other comments and the bytes count are right."""
    gone, kept = author.comment("secret"), author.comment("kept")
    ring = Ring(seconds=100, limit_bytes=10_000)
    ring.append(frame(), 0.0)
    update = UpdateFrame(
        "p", [author.entry(gone, 0), author.entry(kept, 1)], totals={gone.comment_id: (1,)}
    )
    ring.append(update, 0.0)
    ring.redact(gone.comment_id)
    assert b"secret" not in ring[1].payload
    assert b"secret" not in ring[1].websocket
    message = json.loads(ring[1].payload)
    assert [c["commentText"] for c in message["comments"]] == ["kept"]
    assert "reactions" not in message
    assert ring.bytes == len(ring[0].payload) + len(ring[1].payload)
