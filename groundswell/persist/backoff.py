"""How long a projection waits before it tries again what its engines refused."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Seconds between two tries: `first`, then double, at most `longest`.

    No randomness: one process has one projection of a kind, so there is no herd to spread.
    """

    first: float = 0.1
    longest: float = 5.0

    def delays(self) -> Iterator[float]:
        """Return the waits of one row of failures; it never ends."""
        delay = self.first
        while True:
            yield delay
            delay = min(2 * delay, self.longest)
