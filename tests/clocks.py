"""Time that a test moves."""

START_MS = 1_727_354_096_000  # 2024-09-26T12:34:56Z


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.wall = START_MS
        self.mono = 1000.0

    def wall_ms(self) -> int:
        return self.wall

    def monotonic(self) -> float:
        return self.mono

    def advance(self, seconds: float) -> None:
        self.wall += round(seconds * 1000)
        self.mono += seconds
