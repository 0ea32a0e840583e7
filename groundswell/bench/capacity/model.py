"""The arithmetic of capacity: pure functions from an event and unit costs to what each role needs.

CPU is in cores (seconds of CPU a second), memory in bytes, bandwidth in bytes a second.
docs/capacity.md has the same formulae with their reasons.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise

from groundswell.bench.capacity.units import Units
from groundswell.broker.shown import FRAME_TOTALS
from groundswell.contract.settings import RoomSettings

SEGMENT_BYTES = 1448  # of TCP's payload in an Ethernet frame of 1,500, with time stamps
SEGMENT_HEAD_BYTES = 66  # Ethernet 14, IPv4 20, TCP 32
POST_BYTES = 1000  # of an HTTP request with a token of 300 and a text of 100: assumed
ANSWER_BYTES = 500  # of its answer: assumed
REACTION_BYTES = 150  # of a reaction on a socket, masked, and as many of its answer: assumed
TOTALS_RATE = 10.0  # times a second that the tally tells a comment's totals, at most: assumed
REPLICAS = 3  # in Kafka and Cassandra: the defaults of kafka.replication, cassandra.replication


class UnitsMissing(Exception):
    """The model needs units that no file told; `names` are theirs."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"no result file tells {', '.join(names)}")
        self.names = names


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One video at its busiest. Rates are a second; `display_rate` 0 shows every comment."""

    viewers: float
    comments: float
    reactions: float = 0.0
    display_rate: float = 0.0
    tick: float = RoomSettings().tick_max  # seconds between two frames
    reacted: float = FRAME_TOTALS  # shown comments that get reactions at a time
    arrival: float = 600.0  # seconds in which all viewers come


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """What a room sends to each viewer."""

    per_second: float
    comments: float  # shown, a second
    totals: float  # in a frame
    bytes: float  # of a frame


def frames_of(event: Event, units: Units) -> Frames:
    """Return the frames: one a comment while those are rarer than ticks, else one a tick.

    A comment that is not shown makes a frame too: it says how many were skipped.
    """
    per_second = min(event.comments, 1 / event.tick)
    shown = min(event.comments, event.display_rate or math.inf)
    if not per_second:
        return Frames(per_second=0.0, comments=0.0, totals=0.0, bytes=0.0)
    totals = min(event.reacted, FRAME_TOTALS, event.reactions / per_second)
    size = (
        cost(units, "frame")
        + shown / per_second * cost(units, "comment")
        + (totals and totals * cost(units, "total"))
    )
    return Frames(per_second=per_second, comments=shown, totals=totals, bytes=size)


def cost(units: Units, name: str) -> float:
    """Return a unit's value. Raises `UnitsMissing`."""
    if name not in units:
        raise UnitsMissing([name])
    return units[name].value


def post_cores(units: Units, rate: float) -> float:
    """Return the cores for so many posts a second in one process.

    Between the measured rates CPU a second is interpolated; above the greatest a post costs what it
    costs there, below the least it costs as much CPU a second as there: waking up is most of it.
    """
    if rate <= 0:
        return 0.0
    points = units["post"].points if "post" in units else ()
    if not points:
        return rate * cost(units, "post") / 1e6
    # More posts are never less work, whatever a busy machine made of two legs.
    worked = accumulate((at * us / 1e6 for at, us in points), max)
    loads = [(at, load) for (at, _), load in zip(points, worked, strict=True)]
    if rate <= loads[0][0]:
        return min(1.0, rate) * loads[0][1]
    for (low, below), (high, above) in pairwise(loads):
        if rate <= high:
            return below + (rate - low) / (high - low) * (above - below)
    return rate / loads[-1][0] * loads[-1][1]


def fan_out_cores(event: Event, units: Units) -> float:
    """Return the cores for all viewers' frames and pings."""
    frames = frames_of(event, units)
    a_frame = cost(units, "write") + frames.bytes * cost(units, "byte")
    return event.viewers * (frames.per_second * a_frame + cost(units, "idle")) / 1e6


def viewer_bytes(event: Event, units: Units, *, ping_interval: float) -> tuple[float, float]:
    """Return bytes a second of one viewer on the wire, out and in, heads and ACKs included."""
    frames = frames_of(event, units)
    segments = frames.per_second * math.ceil(frames.bytes / SEGMENT_BYTES)
    pings = (cost(units, "ping") + SEGMENT_HEAD_BYTES) / ping_interval
    out = frames.per_second * frames.bytes + segments * SEGMENT_HEAD_BYTES + pings
    return out, (frames.per_second + 2 / ping_interval) * SEGMENT_HEAD_BYTES


def least(enough: Callable[[int], bool], *, most: int = 1_000_000) -> int | None:
    """Return the least whole number from 1 on that is enough, None where `most` is not.

    `enough` must stay true from where it becomes true.
    """
    if not enough(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
