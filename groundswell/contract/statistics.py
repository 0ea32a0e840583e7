"""Records that `statistics()` methods return, and what the metrics make of them.

A field of type `Count` or `Sum` only grows: it becomes a counter named `..._total`. A `Histogram`
becomes a histogram. Every other number is a gauge.
"""

from bisect import bisect_left
from itertools import accumulate
from typing import Annotated, Final

GROWS: Final = "only grows"

Count = Annotated[int, GROWS]
Sum = Annotated[float, GROWS]

# Seconds, from an answer out of memory to the deadline of an append: about two a decade, so that
# a quantile is known within a factor of 2.5.
LATENCY_SECONDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)


class Histogram:
    """How many observations fell into each bucket; observed and read by one thread.

    A bucket takes what is at most its bound, one more bucket takes the rest. An observation costs
    one binary search in C and two additions.
    """

    __slots__ = ("_counts", "bounds", "sum")

    def __init__(self, bounds: tuple[float, ...] = LATENCY_SECONDS) -> None:
        """`bounds` ascend, without infinity."""
        self.bounds = bounds
        self.sum = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def observe(self, value: float) -> None:
        """Count one observation."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulated(self) -> list[int]:
        """Return for each bound how many observations were at most it, and last of all how many."""
        return list(accumulate(self._counts))
