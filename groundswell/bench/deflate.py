"""Scenario `deflate`: bytes and CPU of one frame, plain and deflated, within one process.

The frame is made once whatever the number of viewers, so its CPU is a price a tick; the bytes are
saved at every viewer. Comments are those of the demo's crowd: short sentences that are seldom the
same, with ids, times and names of their own. Repeated phrases flatter the ratio a little.
"""

import time
from collections.abc import Callable, Sequence
from random import Random

import orjson

from groundswell.bench.report import Row
from groundswell.broker.compression import deflated_frame
from groundswell.cext import frames as encoder
from groundswell.contract.clock import rfc3339
from groundswell.contract.ids import CommentIds
from groundswell.demo import phrases

SIZES = (1, 10, 50, 100)  # comments a frame
FRAMES = 60  # of each size
START_MS = 1_727_354_096_789
USERS = 200_000


def payloads(comments: int, *, random: Random) -> list[bytes]:
    """Return updates of so many comments each, as a room makes them."""
    now_ms = START_MS
    ids = CommentIds(b"0123456789abcdef", now_ms=lambda: now_ms, process_random=7)
    made = []
    for _ in range(FRAMES):
        parts = []
        for _ in range(comments):
            now_ms += random.randrange(1, 40)
            public = {
                "commentID": ids.mint("v"),
                "userID": f"user-{random.randrange(USERS)}",
                "commentText": phrases.comment(random),
                "timestamp": rfc3339(now_ms),
            }
            parts.append(orjson.dumps(public))
        made.append(encoder.update(b"9f00112233445566:1050", parts))
    return made


def microseconds(call: Callable[[bytes], object], frames: Sequence[bytes], rounds: int) -> float:
    """Return the CPU that a frame takes, of this thread alone, in the best round."""
    best = float("inf")
    for _ in range(rounds):
        began = time.thread_time()
        for frame in frames:
            call(frame)
        best = min(best, time.thread_time() - began)
    return best / len(frames) * 1e6


def measure(*, rounds: int) -> list[Row]:
    """Return a row for each number of comments a frame."""
    rows: list[Row] = []
    for comments in SIZES:
        frames = payloads(comments, random=Random(comments))  # noqa: S311  not a secret
        plain = sum(len(encoder.websocket_text(frame)) for frame in frames)
        deflated = sum(
            len(deflated_frame(frame) or encoder.websocket_text(frame)) for frame in frames
        )
        rows.append(
            {
                "comments/frame": comments,
                "plain bytes": round(plain / FRAMES),
                "deflated bytes": round(deflated / FRAMES),
                "deflated %": 100 * deflated / plain,
                "plain CPU us": microseconds(encoder.websocket_text, frames, rounds),
                "deflate CPU us": microseconds(deflated_frame, frames, rounds),
                "bounded by": "",
            }
        )
    return rows
