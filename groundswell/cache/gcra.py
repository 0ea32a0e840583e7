"""Limits by the generic cell rate algorithm: one number a key (ITU-T I.371, annex A).

The number is the theoretical arrival time, TAT: when a sender that kept exactly to its rate would
come next. Somebody may be early by `burst - 1` intervals.
"""

from collections import OrderedDict
from collections.abc import Sequence

from groundswell.contract.ports.cache import Rate

KEYS_MAX = 1_000_000  # about 150 bytes each; beyond it the keys that were looked at longest ago go
_SWEPT_A_CALL = 2  # more than one, so that keys which are used no more go faster than new ones come
_ROUNDING = 1e-9  # seconds; who waits exactly as long as told is let through


class RateLimits:
    """The TATs of many keys, in seconds of a monotonic clock."""

    def __init__(self, *, keys_max: int = KEYS_MAX) -> None:
        self._keys_max = keys_max
        self._tats: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tats)

    def take(self, key: str, rate: Rate, now: float) -> float:
        """Take one: 0.0 if allowed, else the seconds until it will be."""
        wait = self._wait(key, rate, now)
        if wait == 0.0:
            self._enter(key, rate, now)
        return wait

    def take_all(self, limits: Sequence[tuple[str, Rate]], now: float) -> float:
        """Take one from each limit, or from none if one refuses: the longest wait."""
        longest = 0.0
        for key, rate in limits:
            wait = self._wait(key, rate, now)
            if wait > longest:
                longest = wait
        if longest == 0.0:
            for key, rate in limits:
                self._enter(key, rate, now)
        return longest

    def _wait(self, key: str, rate: Rate, now: float) -> float:
        wait = self._tats.get(key, now) - (rate.burst - 1) / rate.per_second - now
        return wait if wait > _ROUNDING else 0.0

    def _enter(self, key: str, rate: Rate, now: float) -> None:
        self._sweep(now)
        self._tats[key] = max(self._tats.get(key, now), now) + 1.0 / rate.per_second

    def _sweep(self, now: float) -> None:
        """Look at the oldest keys; a TAT that has passed says as much as none."""
        tats = self._tats
        for _ in range(min(_SWEPT_A_CALL, len(tats))):
            key = next(iter(tats))
            if tats[key] <= now or len(tats) > self._keys_max:
                del tats[key]
            else:
                tats.move_to_end(key)
