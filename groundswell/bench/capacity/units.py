"""Unit costs out of result files of the bench, each with where it comes from.

A file is read by its `scenario`: `calibrate` has all that one machine without engines can tell;
`cluster-ingest`, `cluster-reactions`, `cluster-persist` and `cluster-tally` replace what it can
only bound. Of two files that tell the same unit the later one counts.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundswell.bench.capacity.fit import Leg, fan_out
from groundswell.bench.results import Result, ResultUnusable, load

REFERENCE = Path(__file__).parent / "reference"  # result files of the reference machine
US = "CPU us"
BYTES = "bytes"

# What there is to know: unit and meaning. All else here is how it is found.
UNITS: Mapping[str, tuple[str, str]] = {
    "write": (US, "a frame written to one viewer, however short"),
    "byte": (US, "a byte of it, on top"),
    "idle": (US, "a second of one viewer to whom nothing is sent but pings"),
    "join": (US, "a viewer who comes: connection, handshake and welcome"),
    "read": (US, "a comment that a broker reads from the log"),
    "read total": (US, "a comment's totals that a broker reads"),
    "post": (US, "a comment posted over HTTP"),
    "reaction": (US, "a reaction through a viewer's socket"),
    "stored comment": (US, "a comment put into the store by persist"),
    "counted reaction": (US, "a reaction counted by persist"),
    "Cassandra comment": (US, "Cassandra's share in a row of a comment, one replica"),
    "Cassandra reaction": (US, "Cassandra's share in a reaction, one replica"),
    "frame": (BYTES, "a frame on the wire without its comments"),
    "comment": (BYTES, "a comment in it"),
    "total": (BYTES, "a comment's totals in it"),
    "ping": (BYTES, "a ping"),
    "welcome": (BYTES, "a welcome of 50 comments"),
    "comment in the log": (BYTES, "a comment in Kafka, one replica"),
    "reaction in the log": (BYTES, "a reaction in Kafka, packed"),
    "total in the log": (BYTES, "a comment's totals in Kafka"),
    "process": (BYTES, "resident memory of a process without viewers"),
    "viewer": (BYTES, "resident memory that a viewer adds"),
    "viewer's kernel": (BYTES, "kernel memory of a viewer's socket, the server's end"),
    "remembered comment": (BYTES, "resident memory that a comment adds, while it can be resumed"),
}


class UnitsUnusable(Exception):
    """A file is no result of the bench, or has nothing that is needed here; says which and why."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a unit cost comes from."""

    file: str
    scenario: str
    commit: str
    machine: str
    time: str


@dataclass(frozen=True, slots=True)
class Unit:
    """One cost. `points` are (per second, cost) where it depends on the rate; `value` is then that
    of the greatest. `note`: what bounds the figure, or what else is in it.
    """

    value: float
    source: Source
    note: str = ""
    points: tuple[tuple[float, float], ...] = ()


Units = Mapping[str, Unit]
Rows = Sequence[Mapping[str, Any]]


def read_units(files: Iterable[Path]) -> dict[str, Unit]:
    """Read files in order. Raises `UnitsUnusable`."""
    units: dict[str, Unit] = {}
    for file in files:
        units |= of_result(_loaded(file), file=file.name)
    return units


def reference_files() -> list[Path]:
    """Return the result files that come with the package, in order."""
    return sorted(REFERENCE.glob("*.json"))


def _loaded(file: Path) -> Result:
    try:
        return load(file)
    except ResultUnusable as error:
        raise UnitsUnusable(str(error)) from error


def of_result(result: Result, *, file: str) -> dict[str, Unit]:
    """Return what one result tells.

    Raises:
        UnitsUnusable: its scenario is none of ours, or its rows are not those of that scenario.
    """
    scenario, machine = result.scenario, result.machine
    if scenario not in _READERS:
        known = ", ".join(_READERS)
        raise UnitsUnusable(f"{file} is a result of {scenario}, which tells no unit: {known} do")
    source = Source(
        file=file,
        scenario=scenario,
        commit=str(machine.get("commit")),
        machine=f"{machine.get('cpu')}, {machine.get('cores')} cores",
        time=str(machine.get("time")),
    )
    try:
        rows = result.details if scenario == "calibrate" else result.rows
        return _READERS[scenario](rows, source)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        cut = "" if result.complete else f"; it is not complete: {result.reason}"
        raise UnitsUnusable(f"{file} lacks rows of {scenario}: {error!r}{cut}") from error


def _calibrate(rows: Rows, source: Source) -> dict[str, Unit]:
    of: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        of.setdefault(row["scenario"], []).append(row)
    units = _fan_out(of["fanout"], source)
    (posts,), (burst,), (resting,) = of["ingest"], of["joins"], of["idle"]
    (reacted,) = (row for row in of["uplink"] if row["uplink"] == "full")
    (fold,), (reading,), (encoded,) = of["fold"], of["reading"], of["encoded"]
    points = (*units["post"].points, (float(posts["posts/s"]), float(posts["CPU us/post"])))
    embedded = "all roles in one process, SQLite: the store's row is in it"
    units["post"] = Unit(points[-1][1], source, _joined(embedded, posts), tuple(sorted(points)))
    kernel = resting["kernel KB/viewer, both ends"]
    found: list[tuple[str, Any, Mapping[str, Any], str]] = [
        ("idle", 1e4 * resting["CPU %"] / resting["viewers"], resting, ""),
        ("viewer", 1e3 * resting["RSS KB/viewer"], resting, ""),
        ("process", 1e6 * resting["RSS MB before"], resting, ""),
        ("join", burst["CPU us/join"], burst, ""),
        ("welcome", 1e3 * burst["KB a viewer"], burst, ""),
        ("reaction", reacted["CPU us/message"], reacted, "limits and counts in memory, not Redis"),
        ("read", reading["CPU us/comment"], reading, "without the connection to Kafka"),
        ("read total", reading["CPU us/total"], reading, "without the connection to Kafka"),
        ("remembered comment", reading["RSS bytes/comment"], reading, ""),
        ("stored comment", points[-1][1], posts, "at most: gate, log and HTTP are in it"),
        ("counted reaction", fold["CPU us/reaction"], fold, "at least: no engine is in it"),
        ("total", encoded["total in a frame, bytes"], encoded, ""),
        ("ping", encoded["ping, bytes"], encoded, ""),
    ]
    if kernel is not None:  # None: it was not root who measured
        found.append(("viewer's kernel", 500 * kernel, resting, "half of both ends"))
    found += [
        (f"{name} in the log", encoded[f"{name} in the log, bytes"], encoded, "")
        for name in ("comment", "reaction", "total")
    ]
    for name, value, row, note in found:
        units[name] = Unit(float(value), source, _joined(note, row))
    return units


def _fan_out(rows: Rows, source: Source) -> dict[str, Unit]:
    legs = [
        Leg(
            viewers=row["viewers"],
            rate=row["comments/s"],
            posts=row["posts"],
            cpu=row["CPU s"],
            writes=row["writes"],
            deliveries=row["deliveries"],
            bytes=row["bytes"],
        )
        for row in rows
    ]
    fitted = fan_out(legs)
    bounds = [str(row["bounded by"]) for row in rows if row["bounded by"]]
    note = f"bounded by {', '.join(dict.fromkeys(bounds))}" if bounds else ""
    return {
        "write": Unit(fitted.write_us, source, note),
        "byte": Unit(fitted.byte_us, source, note),
        "frame": Unit(fitted.frame_bytes, source),
        "comment": Unit(fitted.comment_bytes, source),
        "post": Unit(fitted.posts[-1][1], source, note, fitted.posts),
    }


def _cluster_ingest(rows: Rows, source: Source) -> dict[str, Unit]:
    ours = [row for row in rows if row["server"] == "ingest, limits and keys"]
    points = tuple(sorted((float(row["posts/s"]), float(row["CPU us/post"])) for row in ours))
    note = _joined("Kafka and Redis, with limits and keys", *ours)
    return {"post": Unit(points[-1][1], source, note, points)}


def _cluster_reactions(rows: Rows, source: Source) -> dict[str, Unit]:
    ours = [row for row in rows if row["cache"] == "redis"] or list(rows)
    best = max(ours, key=lambda row: float(row["reactions/s"]))
    note = _joined(f"Kafka, cache: {best['cache']}", best)
    return {"reaction": Unit(float(best["CPU us/reaction"]), source, note)}


def _cluster_persist(rows: Rows, source: Source) -> dict[str, Unit]:
    ours = [row for row in rows if row["writer"] == "persist"]
    return {
        "stored comment": _median(ours, "CPU us/row", source),
        "Cassandra comment": _median(ours, "cassandra us", source),
    }


def _cluster_tally(rows: Rows, source: Source) -> dict[str, Unit]:
    ours = [row for row in rows if row["leg"] == "rows in the store"]
    return {
        "counted reaction": _median(ours, "CPU us/reaction", source),
        "Cassandra reaction": _median(ours, "cassandra us", source),
    }


def _median(rows: Rows, column: str, source: Source) -> Unit:
    value = statistics.median(float(row[column]) for row in rows)
    return Unit(value, source, _joined("", *rows))


def _joined(note: str, *rows: Mapping[str, Any]) -> str:
    bounds = [str(row["bounded by"]) for row in rows if row.get("bounded by")]
    told = f"bounded by {', '.join(dict.fromkeys(bounds))}" if bounds else ""
    return "; ".join(filter(None, (note, told)))


_READERS: Mapping[str, Callable[[Rows, Source], dict[str, Unit]]] = {
    "calibrate": _calibrate,
    "cluster-ingest": _cluster_ingest,
    "cluster-reactions": _cluster_reactions,
    "cluster-persist": _cluster_persist,
    "cluster-tally": _cluster_tally,
}
