"""Costs out of legs that hold several at once."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One leg of fan-out: `cpu` in seconds, writes and bytes to all viewers together."""

    viewers: int
    rate: float  # comments a second
    posts: int
    cpu: float
    writes: float
    deliveries: float  # comments times viewers
    bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """What the legs come to. Microseconds of CPU, and bytes on the wire."""

    write_us: float  # a write, however short
    byte_us: float  # on top, a byte
    frame_bytes: float  # a frame, however few comments
    comment_bytes: float  # on top, a comment
    posts: tuple[tuple[float, float], ...]  # comments a second, and CPU us a post at that rate


def cheapest(legs: Sequence[Leg]) -> list[Leg]:
    """Return the cheapest leg a write of each kind: others only ever make one dearer."""
    kinds: dict[tuple[int, float], Leg] = {}
    for leg in legs:
        known = kinds.setdefault((leg.viewers, leg.rate), leg)
        if _cost(leg) < _cost(known):
            kinds[leg.viewers, leg.rate] = leg
    return list(kinds.values())


def _cost(leg: Leg) -> float:
    return leg.cpu / max(1.0, leg.writes)


def fan_out(legs: Sequence[Leg]) -> FanOut:
    """Solve two numbers of viewers times two rates.

    More viewers at a rate cost writes and bytes and no posts: the two differences give both costs.
    What is then left of the legs with few viewers are the posts. No cost is below 0.

    Raises:
        ValueError: there are not two numbers of viewers, each with the same two rates.
    """
    found = {(leg.viewers, leg.rate): leg for leg in cheapest(legs)}
    sizes, rates = sorted({v for v, _ in found}), sorted({r for _, r in found})
    if len(sizes) != 2 or len(rates) != 2 or len(found) != 4:
        raise ValueError("fan-out needs legs with two numbers of viewers at two rates")
    (few, many), (slow, fast) = sizes, rates
    slow_step = _step(found[few, slow], found[many, slow])
    fast_step = _step(found[few, fast], found[many, fast])
    write, byte = _solve(slow_step[:3], fast_step[:3])
    frame, comment = _solve(
        (found[many, slow].writes, found[many, slow].deliveries, found[many, slow].bytes),
        (found[many, fast].writes, found[many, fast].deliveries, found[many, fast].bytes),
    )
    posts = []
    for rate in rates:
        leg = found[few, rate]
        left = leg.cpu - leg.writes * write - leg.bytes * byte
        posts.append((rate, 1e6 * max(0.0, left) / leg.posts))
    return FanOut(
        write_us=1e6 * write,
        byte_us=1e6 * byte,
        frame_bytes=frame,
        comment_bytes=comment,
        posts=tuple(posts),
    )


def _step(few: Leg, many: Leg) -> tuple[float, float, float]:
    return many.writes - few.writes, many.bytes - few.bytes, max(0.0, many.cpu - few.cpu)


def _solve(one: tuple[float, float, float], two: tuple[float, float, float]) -> tuple[float, float]:
    """Solve `a x + b y = c` twice for x, y >= 0; where one would be negative, it is 0.

    >>> _solve((1, 1, 5), (1, 3, 9))
    (3.0, 2.0)
    """
    (a1, b1, c1), (a2, b2, c2) = one, two
    by = a1 * b2 - a2 * b1
    if by:
        x, y = (c1 * b2 - c2 * b1) / by, (a1 * c2 - a2 * c1) / by
        if x >= 0 and y >= 0:
            return x, y
    # The better of the two solutions with one unknown, by least squares.
    alone_x = max(0.0, (a1 * c1 + a2 * c2) / ((a1 * a1 + a2 * a2) or 1.0))
    alone_y = max(0.0, (b1 * c1 + b2 * c2) / ((b1 * b1 + b2 * b2) or 1.0))

    def wrong(x: float, y: float) -> float:
        return (a1 * x + b1 * y - c1) ** 2 + (a2 * x + b2 * y - c2) ** 2

    return min(((alone_x, 0.0), (0.0, alone_y)), key=lambda pair: wrong(*pair))
