"""What a run has measured so far and which leg it is at: kept when the run is cut short."""

from typing import Protocol

from groundswell.bench.report import Row


class Watcher(Protocol):
    """Is told how a run goes on."""

    def started(self, title: str, legs: int) -> None:
        """Hear that a scenario of so many legs begins; `title` is empty where there is only one."""

    def began(self, leg: str) -> None:
        """Hear that the next leg begins, and with it that the one before is over."""


class Journal:
    """Holds what the current scenario's `measure` appends to, from its `start` on."""

    def __init__(self, watcher: Watcher | None = None) -> None:
        self.rows: list[Row] = []
        self.details: list[Row] = []
        self.leg = ""  # the one that is being measured; empty before the first
        self.skipped: dict[str, str] = {}  # servers that are not measured, and why
        self._title = ""
        self._watcher = watcher

    def entitle(self, title: str) -> None:
        """Name the scenario that starts next, where a run has several; it has nothing yet."""
        self._title = title
        self.rows, self.details, self.leg = [], [], ""

    def start(self, *, legs: int) -> tuple[list[Row], list[Row]]:
        """Begin a scenario of so many legs; return its rows and details, both empty."""
        self.rows, self.details, self.leg = [], [], ""
        if self._watcher:
            self._watcher.started(self._title, legs)
        return self.rows, self.details

    def begin(self, leg: str) -> None:
        """Begin a leg: what it is, for people."""
        self.leg = leg
        if self._watcher:
            self._watcher.began(leg)
