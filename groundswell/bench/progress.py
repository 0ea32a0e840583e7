"""Tells who waits for a run how far it is: live where somebody looks, a line a leg elsewhere.

It goes to standard error, so that tables on standard output stay what they are.
"""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

BAR = 24  # characters


def clock(seconds: float) -> str:
    """Return a duration for people.

    >>> clock(59.6), clock(125)
    ('1:00', '2:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


class Progress:
    """Shows which leg of how many a run is at, how long it takes, and about what is left."""

    def __init__(self, scenario: str, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._scenario = scenario
        self._title = scenario
        self._leg = "getting ready"
        self._number = self._legs = 0
        self._began = self._first = self._this = time.monotonic()
        # What is printed meanwhile goes where it was meant to go: nothing is redirected.
        self._live = Live(
            self,
            console=self._console,
            refresh_per_second=1,  # it takes CPU of the machine that is measured
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def started(self, title: str, legs: int) -> None:
        """Hear that a scenario of so many legs begins."""
        self._title = f"{self._scenario}: {title}" if title else self._scenario
        self._number, self._legs, self._first = 0, legs, time.monotonic()

    def began(self, leg: str) -> None:
        """Hear that the next leg begins."""
        self._number += 1
        self._leg, self._this = leg, time.monotonic()
        if not self._console.is_terminal:
            line = f"{self._title} {self._number}/{self._legs} {leg}, {self._times()}"
            self._console.print(line, markup=False, soft_wrap=True)

    def left(self) -> float | None:
        """Return about how many seconds this scenario still takes; None: nothing is known yet."""
        done = self._number - 1
        if done < 1:
            return None
        each = (self._this - self._first) / done
        here = max(0.0, each - (time.monotonic() - self._this))
        return here + each * max(0, self._legs - self._number)

    def _times(self) -> str:
        left = self.left()
        elapsed = f"{clock(time.monotonic() - self._began)} so far"
        return elapsed if left is None else f"{elapsed}, about {clock(left)} left"

    def __rich__(self) -> Table:
        """Return the line as it is now."""
        line = Table.grid(padding=(0, 2))
        done = max(0, self._number - 1)
        line.add_row(
            Text(self._title, style="bold"),
            ProgressBar(total=max(1, self._legs), completed=done, width=BAR),
            f"{self._number}/{self._legs}" if self._legs else "",
            Text(self._leg),
            Text(self._times(), style="dim"),
        )
        return line

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
