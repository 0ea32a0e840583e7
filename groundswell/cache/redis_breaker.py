"""Decides when Redis is bypassed. No I/O and no time in here: `RedisCache` probes."""

FAILURES_IN_A_ROW = 2


class Breaker:
    """Open: Redis is bypassed. Two failures in a row open it, a probe that worked closes it."""

    def __init__(self) -> None:
        self.open = False
        self.opens = 0  # how often it opened
        self._failures = 0

    def failed(self) -> None:
        """Hear of a flight that Redis did not answer."""
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW and not self.open:
            self.force_open()

    def succeeded(self) -> None:
        """Hear of a flight that it answered; one that was sent before it opened changes nothing."""
        self._failures = 0

    def force_open(self) -> None:
        """Bypass Redis from now on."""
        self.open = True
        self.opens += 1

    def close(self) -> None:
        """Use Redis again."""
        self.open = False
        self._failures = 0
