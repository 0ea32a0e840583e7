"""Limits by the generic cell rate algorithm: one number a key (ITU-T I.371, annex A).

The number is the theoretical arrival time, TAT: when a sender that kept exactly to its rate would
come next. Somebody may be early by `burst - 1` intervals.
"""

from collections import OrderedDict

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
        self._sweep(now)
        interval = 1.0 / rate.per_second
        tat = max(self._tats.get(key, now), now)
        wait = tat - interval * (rate.burst - 1) - now
        if wait > _ROUNDING:
            return wait
        self._tats[key] = tat + interval
        return 0.0

    def _sweep(self, now: float) -> None:
        """Look at the oldest keys; a TAT that has passed says as much as none."""
        tats = self._tats
        for _ in range(min(_SWEPT_A_CALL, len(tats))):
            key = next(iter(tats))
            if tats[key] <= now or len(tats) > self._keys_max:
                del tats[key]
            else:
                tats.move_to_end(key)
