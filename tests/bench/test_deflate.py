"""What a deflated frame is compared with."""

from random import Random

import orjson

from groundswell.bench import deflate


def test_frames_are_updates_of_so_many_different_comments():
    """As a room sends them."""
    frames = [orjson.loads(payload) for payload in deflate.payloads(10, random=Random(1))]
    comments = [comment for frame in frames for comment in frame["comments"]]
    assert [len(frame["comments"]) for frame in frames] == [10] * deflate.FRAMES
    assert len({comment["commentID"] for comment in comments}) == len(comments)
    assert {*comments[0]} == {"commentID", "userID", "commentText", "timestamp"}


def test_each_size_has_a_row_and_larger_frames_shrink_more():
    """Deflated bytes and the CPU for them, beside those of the plain frame."""
    rows = deflate.measure(rounds=1)
    assert [row["comments/frame"] for row in rows] == [1, 10, 50, 100]
    shares = [row["deflated %"] for row in rows]
    assert shares == sorted(shares, reverse=True)
    assert all(0 < share < 100 for share in shares)
    assert all(row["deflate CPU us"] > row["plain CPU us"] > 0 for row in rows)
