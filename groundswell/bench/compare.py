"""Two sets of results beside each other: the ratio of each shared figure, and what it is worth.

A difference counts when the rounds of both sides do not overlap, and the medians are further apart
than either side's rounds are and than `NOISE`; with fewer than three rounds on a side `NOISE_FEW`,
since then little is known of the spread. Of figures of two equal servers 4 in 100 pass this by
chance with three rounds each, and 2 in 1,000 with five (simulated, normal noise).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from groundswell.bench import rounds
from groundswell.bench.report import Row
from groundswell.bench.results import Pool, Result, pooled, settings_of

NOISE, NOISE_FEW = 0.05, 0.1  # of the first side's median
FEW = 3  # rounds, below which the spread says little
WITHIN = "within noise"


class NotComparable(Exception):
    """The two sides are not of one kind; the text says in what they differ."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of both sides. `ratio` is the second's median by the first's; None: by zero."""

    scenario: str
    leg: rounds.Leg
    column: str
    first: rounds.Figure
    second: rounds.Figure
    bounds: tuple[str, ...]

    @property
    def ratio(self) -> float | None:
        """Return the second's median by the first's."""
        return self.second.median / self.first.median if self.first.median else None

    @property
    def verdict(self) -> str:
        """Return what the second is beside the first: faster, slower, less, more, within noise."""
        first, second = self.first, self.second
        apart = first.high < second.low or second.high < first.low
        few = min(first.rounds, second.rounds) < FEW
        floor = max(
            abs(first.median) * (NOISE_FEW if few else NOISE),
            first.high - first.low,
            second.high - second.low,
        )
        if not apart or abs(second.median - first.median) <= floor:
            return WITHIN
        larger = second.median > first.median
        if rounds.is_size(self.column):
            return "more" if larger else "less"
        return "faster" if larger == (rounds.better(self.column) == "higher") else "slower"

    def row(self) -> Row:
        """Return it as a row of the table."""
        return {
            "scenario": self.scenario,
            "leg": leg_name(self.leg),
            "figure": self.column,
            "A": self.first.median,
            "B": self.second.median,
            "B / A": self.ratio,
            "spread A %": 100 * self.first.spread if self.first.rounds > 1 else None,
            "spread B %": 100 * self.second.spread if self.second.rounds > 1 else None,
            "rounds": f"{self.first.rounds}, {self.second.rounds}",
            "verdict": self.verdict,
            "bounded by": ", ".join(self.bounds),
        }


@dataclass(frozen=True, slots=True)
class Compared:
    """What could be compared, and what to know about it."""

    figures: list[Comparison]
    remarks: list[str]


def leg_name(leg: rounds.Leg) -> str:
    """Return what tells a leg from others, for people.

    >>> row = {"server": "limit", "comments/s": 10.0, "viewers": 5000, "p50 ms": 1.0}
    >>> leg_name(rounds.legs([row])[0])
    'limit, comments/s 10, viewers 5,000'
    """
    return ", ".join(
        value if isinstance(value, str) else f"{key} {value:,g}"
        for key, value in leg.keys.items()
        if isinstance(value, str | int | float)
    )


def compare(a: Sequence[Result], b: Sequence[Result], *, anyway: bool = False) -> Compared:
    """Compare all scenarios that both sides have. Several files of a scenario are its rounds.

    Raises:
        NotComparable: machines differ and not `anyway`, settings differ, no scenario is shared.
    """
    first, second = _sides(a, "A"), _sides(b, "B")
    shared = [name for name in first if name in second]
    if not shared:
        raise NotComparable(
            f"no scenario is in both: A has {_names(first)}; B has {_names(second)}"
        )
    remarks = [
        f"only in {side}: {_names(missing)}"
        for side, missing in (
            ("A", [name for name in first if name not in second]),
            ("B", [name for name in second if name not in first]),
        )
        if missing
    ]
    figures: list[Comparison] = []
    for name in shared:
        one, other = first[name], second[name]
        _check_same("settings", name, settings_of(one.first), settings_of(other.first))
        machines = one.first.hardware(), other.first.hardware()
        if not anyway:
            _check_same("machine", name, *machines)
        elif machines[0] != machines[1]:
            remarks.append(f"{name}: machines differ in {_difference(*machines)}")
        for side, pool in (("A", one), ("B", other)):
            remarks += [f"{name}: {side} is not complete: {reason}" for reason in pool.reasons]
        figures += _figures(name, one, other)
    return Compared(figures, remarks)


def _sides(results: Sequence[Result], side: str) -> dict[str, Pool]:
    sides: dict[str, Pool] = {}
    for pool in pooled(results):
        name = pool.first.scenario
        if name in sides:
            raise NotComparable(
                f"{side} has {name} of several commits, machines or settings: name the files"
            )
        sides[name] = pool
    return sides


def _figures(name: str, one: Pool, other: Pool) -> list[Comparison]:
    theirs = {tuple(leg.keys.items()): leg for leg in rounds.legs(other.rows)}
    found = []
    for leg in rounds.legs(one.rows):
        twin = theirs.get(tuple(leg.keys.items()))
        if twin is None:
            continue
        bounds = tuple(dict.fromkeys((*leg.bounds, *twin.bounds)))
        found += [
            Comparison(name, leg, column, figure, twin.figures[column], bounds)
            for column, figure in leg.figures.items()
            if column in twin.figures
            and rounds.better(column)
            and (figure.high or twin.figures[column].high)  # nothing lost on both sides: no news
        ]
    return found


def _check_same(what: str, name: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> None:
    if a != b:
        advice = " (--anyway compares them)" if what == "machine" else ""
        raise NotComparable(f"{name}: not the same {what}: {_difference(a, b)}{advice}")


def _difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    keys = [key for key in {**a, **b} if a.get(key) != b.get(key)]
    return "; ".join(f"{key} {a.get(key)!r} and {b.get(key)!r}" for key in keys)


def _names(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(names) or "nothing"
