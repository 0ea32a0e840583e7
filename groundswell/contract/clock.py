"""Time is an argument: every component takes a `Clock`, so that tests can drive it."""

import time
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """Wall and monotonic time. `wall_ms` may step; `monotonic` never goes back."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary point; only differences mean anything."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


def rfc3339(time_ms: int) -> str:
    """Write a wall time as RFC 3339 UTC with milliseconds: `2024-09-26T12:34:56.789Z`.

    >>> rfc3339(1727354096789)
    '2024-09-26T12:34:56.789Z'
    """
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{_to_the_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=16)  # a gate writes thousands of times within a second
def _to_the_second(seconds: int) -> str:
    t = time.gmtime(seconds)
    return (
        f"{t.tm_year:04d}-{t.tm_mon:02d}-{t.tm_mday:02d}"
        f"T{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}"
    )
