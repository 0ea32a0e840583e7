"""The targets of the plane, beside what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundswell.bench.plane import sweep
from groundswell.bench.report import Row, cell

JOIN_US = 45.0  # CPU of the server
IDLE_PERCENT = 1.0  # of a core, 10,000 viewers
IDLE_RSS_KB = 0.4  # a viewer
UPLINK_RATE = 100_000.0  # messages a second of a full core
BESIDE_FACTOR, BESIDE_MS = 2.0, 10.0  # whichever allows more
ONE_FACTOR = 1.3  # of the C loop
SWEEP_SPREAD = 15.0  # percent
SERVER = "groundswell"


@dataclass(frozen=True, slots=True)
class Check:
    """One target. `figure` None: it was not measured."""

    what: str
    figure: float | None
    target: float
    at_least: bool = False
    bound: str = ""

    def row(self) -> Row:
        """Return it as a row of the table."""
        met = None
        if self.figure is not None:
            good = self.figure >= self.target if self.at_least else self.figure <= self.target
            met = "yes" if good else "NO"
        sign = ">=" if self.at_least else "<="
        return {
            "what": self.what,
            "figure": self.figure,
            "target": f"{sign} {cell(self.target)}",
            "met": met,
            "bounded by": self.bound,
        }


def checks(measured: Mapping[str, Sequence[Row]]) -> list[Check]:
    """Return the checks of all scenarios, from their tables by name; one may be missing."""
    return [
        *_joins(measured.get("joins", ())),
        *_idle(measured.get("idle", ())),
        *_uplink(measured.get("uplink", ())),
        *_beside(measured.get("beside", ())),
        *_one(measured.get("one", ())),
        *_sweep(measured.get("sweep", ())),
    ]


def _joins(rows: Sequence[Row]) -> list[Check]:
    row = _find(rows, "server", SERVER)
    cost = _number(row, "CPU us/join")
    return [Check("joins: CPU us a join", cost, JOIN_US, bound=_bound(row))]


def _idle(rows: Sequence[Row]) -> list[Check]:
    row = _find(rows, "server", SERVER)
    share, rss = _number(row, "CPU %"), _number(row, "RSS KB/viewer")
    return [
        Check("idle: CPU %", share, IDLE_PERCENT, bound=_bound(row)),
        Check("idle: RSS KB a viewer", rss, IDLE_RSS_KB),
    ]


def _uplink(rows: Sequence[Row]) -> list[Check]:
    row = _find(rows, "uplink", "full")
    rate = _number(row, "per s of a full core")
    what = "uplink: messages/s of a full core"
    totals = str(row["totals"]) if row and row["totals"] is not None else "not compared"
    if not totals.startswith("exact"):
        what += f" (totals {totals})"
    return [Check(what, rate, UPLINK_RATE, at_least=True, bound=_bound(row))]


def _beside(rows: Sequence[Row]) -> list[Check]:
    alone = _number(_find(rows, "small room", "alone"), "p99 ms")
    row = _find(rows, "small room", "beside the large one")
    target = max(BESIDE_FACTOR * (alone or 0.0), (alone or 0.0) + BESIDE_MS)
    what = "beside: p99 ms" if alone is None else f"beside: p99 ms (alone {alone:.4g})"
    return [Check(what, _number(row, "p99 ms"), target, bound=_bound(row))]


def _one(rows: Sequence[Row]) -> list[Check]:
    limit, row = _find(rows, "server", "limit"), _find(rows, "server", SERVER)
    bound = ", ".join(dict.fromkeys(filter(None, (_bound(limit), _bound(row)))))
    found = []
    for name, column in (("median", "median ms"), ("last", "last ms")):
        ours, theirs = _number(row, column), _number(limit, column)
        ratio = ours / theirs if ours and theirs else None
        found.append(Check(f"one: {name} viewer, by the C loop", ratio, ONE_FACTOR, bound=bound))
    return found


def _sweep(rows: Sequence[Row]) -> list[Check]:
    spread = sweep.spread(rows, SERVER)
    bounds = [str(row["bounded by"]) for row in rows if row["server"] == SERVER]
    bound = ", ".join(dict.fromkeys(filter(None, bounds)))
    percent = None if spread is None else 100 * spread
    return [Check("sweep: dearest delivery over cheapest, %", percent, SWEEP_SPREAD, bound=bound)]


def _find(rows: Sequence[Row], column: str, value: str) -> Row | None:
    return next((row for row in rows if row[column] == value), None)


def _number(row: Row | None, column: str) -> float | None:
    value = row[column] if row else None
    return float(value) if isinstance(value, int | float) else None


def _bound(row: Row | None) -> str:
    return str(row["bounded by"]) if row else ""
