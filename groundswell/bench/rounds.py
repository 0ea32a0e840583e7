"""What columns mean, and what several rounds of one leg say together: median and spread."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from groundswell.bench.report import Row

# What tells one leg from another. A column that is not named here was measured.
KEYS = (
    "server",
    "path",
    "from",
    "cache",
    "leg",
    "writer",
    "uplink",
    "small room",
    "beside them",
    "viewers with their own",
    "rooms",
    "what",
    "unit",
    "load",
    "connections",
    "comments/frame",
    "comments/s",
    "viewers",
    "viewers of large",
    "large comments/s",
    "workers",
    "clients",
)
_ROUND = "round"
_LOWER = ("CPU", "RSS", "kernel", "p50", "p99", "max ms", "median ms", "last ms", "worst last")
_LOWER_TOO = ("drained s", "all joined s", "back s", "complete s", "bytes/viewer")
_LOSSES = ("lost viewers", "not 2xx", "not answered", "refused")
_HIGHER = ("/s", "of a full core", "delivered %", "arrived %")
_SIZES = ("RSS", "kernel", "KB", "bytes")


@dataclass(frozen=True, slots=True)
class Figure:
    """What the rounds of a leg gave in one column."""

    median: float
    low: float
    high: float
    rounds: int

    @property
    def spread(self) -> float:
        """Return highest less lowest, by the median: 0.1 is 10 %; 0 where the median is."""
        return (self.high - self.low) / abs(self.median) if self.median else 0.0


@dataclass(frozen=True, slots=True)
class Leg:
    """All rounds of one leg. `bounds` are who filled a core in any of them."""

    keys: dict[str, object]
    figures: dict[str, Figure]
    bounds: tuple[str, ...]
    rounds: int

    @property
    def name(self) -> str:
        """Return what is measured here: the first of its keys that is a text."""
        return next((value for value in self.keys.values() if isinstance(value, str)), "")

    @property
    def place(self) -> dict[str, object]:
        """Return under what load: the keys but the first text."""
        skipped = next((key for key, value in self.keys.items() if isinstance(value, str)), None)
        return {key: value for key, value in self.keys.items() if key != skipped}


def better(column: str) -> Literal["lower", "higher"] | None:
    """Return which way is better; None: the column only describes.

    >>> better("p99 ms"), better("posts/s"), better("server busy %")
    ('lower', 'higher', None)
    """
    if column in KEYS:
        return None
    if column.endswith(_HIGHER):
        return "higher"
    lower = any(word in column for word in (*_LOWER, *_LOWER_TOO, *_LOSSES))
    return "lower" if lower or column in ("kafka us", "cassandra us", "cost") else None


def is_size(column: str) -> bool:
    """Tell whether a column is an amount and not a speed: less or more, not faster or slower."""
    return (
        column == "cost"
        or column.startswith(_SIZES)
        or column.endswith(("%", "viewers", "2xx", "answered"))
    )


def legs(rows: Sequence[Row]) -> list[Leg]:
    """Put the rows of each leg together, in the order of their first rows."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(key) for key in KEYS), []).append(row)
    return [_leg(group) for group in groups.values()]


def _leg(rows: Sequence[Row]) -> Leg:
    figures = {}
    for column in dict.fromkeys(column for row in rows for column in row):
        values = [number for row in rows if (number := as_number(row.get(column))) is not None]
        if values and column not in (*KEYS, _ROUND):
            middle = statistics.median(values)
            figures[column] = Figure(middle, min(values), max(values), len(values))
    bounds = dict.fromkeys(str(row.get("bounded by") or "") for row in rows)
    keys = {key: rows[0][key] for key in KEYS if rows[0].get(key) is not None}
    return Leg(keys, figures, tuple(filter(None, bounds)), len(rows))


def as_number(value: object) -> float | None:
    """Return a number as such, else None; a truth is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def summary(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Return keys and figures of each leg, as a result file has them; empty without rounds."""
    found = legs(rows)
    if all(leg.rounds < 2 for leg in found):
        return []
    return [
        {
            **leg.keys,
            "bounded by": ", ".join(leg.bounds),
            **{
                column: {
                    "median": figure.median,
                    "low": figure.low,
                    "high": figure.high,
                    "rounds": figure.rounds,
                }
                for column, figure in leg.figures.items()
            },
        }
        for leg in found
    ]
