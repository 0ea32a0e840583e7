"""Whether traffic may come, and what is missing where something is.

A process is ready while every required check passes. A check that is not required and fails
degrades it: it stays ready, and says what does not work meanwhile.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that this process stands on. `works` may be asked at any time and never waits."""

    name: str
    required: bool
    works: Callable[[], bool | str]  # True, or False or a text that says why not
    without: str  # what is then missing, and what goes on


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """Which engines work, by their checks' names."""

    up_by_engine: dict[str, bool]


class Readiness:
    """A process's state: starting, then started with checks, then draining."""

    def __init__(self, *, waiting_for: Callable[[], str]) -> None:
        """`waiting_for` tells during the start what it waits for, and why; empty: nothing."""
        self._waiting_for = waiting_for
        self._checks: Sequence[Check] | None = None
        self._draining = False

    def started(self, checks: Sequence[Check]) -> None:
        """From now on the checks decide."""
        self._checks = checks

    def drain(self) -> None:
        """From now on, and for good, no traffic may come."""
        self._draining = True

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Return whether traffic may come, and what `/ready` says."""
        results: dict[str, bool | str] = {}
        without: dict[str, str] = {}
        reasons: list[str] = []
        if self._checks is None:
            waiting_for = self._waiting_for()
            reasons.append(f"starting: waiting for {waiting_for}" if waiting_for else "starting")
        for check in self._checks or ():
            result = results[check.name] = check.works()
            if result is not True:
                without[check.name] = check.without
                if check.required:
                    reasons.append(f"{check.name}: {result}" if result else f"{check.name}: down")
        results["not draining"] = not self._draining
        if self._draining:
            reasons.append("draining")
        status = "not ready" if reasons else "degraded" if without else "ready"
        body: dict[str, Any] = {"status": status, "checks": results}
        if reasons:
            body["reason"] = "; ".join(reasons)
        if without:
            body["without"] = without
        return not reasons, body

    def statistics(self) -> EngineStatistics:
        """Return which engines work."""
        return EngineStatistics({c.name: c.works() is True for c in self._checks or ()})
