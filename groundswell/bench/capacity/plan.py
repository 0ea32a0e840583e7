"""The answer: what every role needs, the log and the store in figures, and what was assumed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from groundswell.bench.capacity import sizing
from groundswell.bench.capacity.model import (
    ANSWER_BYTES,
    POST_BYTES,
    REACTION_BYTES,
    REPLICAS,
    TOTALS_RATE,
    Event,
    Frames,
    UnitsMissing,
    frames_of,
)
from groundswell.bench.capacity.sizes import of_bits, of_bytes
from groundswell.bench.capacity.sizing import Headroom, Need, Node
from groundswell.bench.capacity.units import UNITS, Units
from groundswell.contract.settings import KafkaSettings, LogSettings, RoomSettings

Row = Mapping[str, object]
PARTITIONS_A_WORKER = 3  # so that a worker more or less moves a third of one's load
REACTION_ROW_BYTES = 100  # the brief's; keys, code, offset and time are about as many: assumed
DAY = 86_400.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it. Bytes a second are at the busiest; `stored` is of the whole event."""

    event: Event
    frames: Frames
    needs: list[Need]
    partitions: int
    log: dict[str, float]  # bytes a second by topic, one replica
    log_kept: float  # bytes of all replicas at the end, or after the retention
    rows: float  # of Cassandra, a second
    row_bytes_day: float  # were it as busy all day; one replica, before compression
    rows_stored: float
    assumptions: list[str]
    missing: list[str]
    bounded: list[str]
    sources: list[str]


def plan(event: Event, units: Units, *, node: Node, headroom: Headroom, hours: float) -> Plan:
    """Plan an event of so many hours. Raises `UnitsMissing` with all units that are needed."""
    _require(units)
    brokers = sizing.broker(event, units, node, headroom)
    persist = sizing.persist(event, units, node, headroom)
    log = sizing.log_bytes(event, units)
    needs = [
        brokers,
        sizing.ingest(event, units, node, headroom),
        persist,
        sizing.kafka(event, units, node, headroom, brokers=brokers.processes or 0),
        sizing.cassandra(event, units, node, headroom),
    ]
    kept = min(hours, LogSettings().retention) * 3600
    rows = event.comments + event.reactions + sizing.totals_rate(event)
    row_bytes = log["events"] + event.reactions * REACTION_ROW_BYTES + log["totals"]
    return Plan(
        event=event,
        frames=frames_of(event, units),
        needs=needs,
        partitions=_partitions(persist.processes or 1),
        log=log,
        log_kept=REPLICAS * kept * (log["events"] + log["reactions"]),
        rows=rows,
        row_bytes_day=DAY * row_bytes,
        rows_stored=hours * 3600 * (event.comments + event.reactions),
        assumptions=_assumptions(event, headroom, hours),
        missing=_missing(units),
        bounded=[f"{name}: {unit.note}" for name, unit in units.items() if unit.note],
        sources=sorted(
            {
                f"{s.file}: {s.scenario} of {s.time}, commit {s.commit}, {s.machine}"
                for s in (unit.source for unit in units.values())
            }
        ),
    )


# Without these a role is planned all the same, and the plan says what is not in it.
_DISPENSABLE = {"viewer's kernel", "Cassandra comment", "Cassandra reaction"}


def _require(units: Units) -> None:
    missing = [name for name in UNITS if name not in units and name not in _DISPENSABLE]
    if missing:
        raise UnitsMissing(missing)


def _missing(units: Units) -> list[str]:
    names = [f"{name} ({UNITS[name][1]})" for name in UNITS if name not in units]
    return [*names, "CPU of Kafka", "CPU and memory of Redis and PostgreSQL", "TLS, proxies"]


def _partitions(workers: int) -> int:
    """Return a power of two that spreads the tally's work over its processes."""
    wanted = max(KafkaSettings().partitions, PARTITIONS_A_WORKER * workers)
    return 1 << math.ceil(math.log2(wanted))


def _assumptions(event: Event, headroom: Headroom, hours: float) -> list[str]:
    room = RoomSettings()
    return [
        f"all {event.viewers:,.0f} viewers watch one video; they come within {event.arrival:,.0f} s"
        f" and each is sent {room.snapshot} comments first",
        f"frames are {event.tick:g} s apart: set room.tick_min and room.tick_max to {event.tick:g};"
        f" with the default of {room.tick_min:g} a room spends idle CPU on earlier frames",
        f"{event.reacted:,.0f} shown comments get reactions at a time, and their totals are told at"
        f" most {TOTALS_RATE:g} times a second each",
        "reactions come through the viewers' sockets, comments by HTTP",
        f"a POST is {POST_BYTES} bytes and its answer {ANSWER_BYTES}, a reaction {REACTION_BYTES}"
        " each way",
        f"at most {100 * headroom.busy:g} % of a core, {100 * headroom.network:g} % of a network"
        f" and {100 * headroom.memory:g} % of memory are planned for, with {headroom.spare} more"
        " node of each role",
        f"Kafka and Cassandra keep {REPLICAS} replicas, never on fewer nodes; a row of a reaction"
        f" is {REACTION_ROW_BYTES} bytes",
        f"the event is as busy for all of its {hours:g} h",
        "CPU was measured over loopback, whose receiving half the sender pays; a network card's"
        " interrupts are not in it",
    ]


def needs_rows(found: Plan) -> list[Row]:
    """Return a table's rows, one a role."""
    return [_need_row(need) for need in found.needs]


def _need_row(need: Need) -> Row:
    load = need.load
    return {
        "role": need.role,
        "nodes": need.nodes,
        "of them spare": need.spare,
        "processes": need.processes,
        "cores busy": load.cores if load else None,
        "memory": of_bytes(load.memory) if load and load.memory else None,
        "out": of_bits(load.out) if load else None,
        "in": of_bits(load.into) if load else None,
        "decided by": need.decided_by,
    }


def figures_rows(found: Plan) -> list[Row]:
    """Return the rows of the second table: what is sent, logged and stored."""
    frames, log = found.frames, found.log
    figures = {
        "frames a second, to each viewer": frames.per_second,
        "comments shown a second": frames.comments,
        "totals in a frame": frames.totals,
        "a frame": of_bytes(frames.bytes),
        "to each viewer": of_bytes(frames.per_second * frames.bytes) + "/s",
        "Kafka partitions of a topic": found.partitions,
        **{f"Kafka, {topic}": of_bytes(n) + "/s" for topic, n in log.items()},
        f"Kafka keeps, {REPLICAS} replicas": of_bytes(found.log_kept),
        "Cassandra rows written a second": found.rows,
        "Cassandra rows of the event": found.rows_stored,
        "Cassandra a day, one replica": of_bytes(found.row_bytes_day),
    }
    return [{"what": what, "figure": figure} for what, figure in figures.items()]


def notes(found: Plan) -> list[str]:
    """Return what a role cannot do, whatever it is given."""
    return [note for need in found.needs for note in need.notes]


def as_json(found: Plan, units: Units) -> dict[str, Any]:
    """Return everything as plain data; bytes and seconds are numbers."""
    return {
        **asdict(found),
        "units": {name: {**asdict(unit), "in": UNITS[name][0]} for name, unit in units.items()},
    }


def sections(found: Plan) -> Sequence[tuple[str, list[str]]]:
    """Return the lists under the tables, with their titles; none is empty."""
    lists = (
        ("Too much for one process or one node", notes(found)),
        ("Assumed", found.assumptions),
        ("Not measured, and not in the figures", found.missing),
        ("Bounds and what is in a figure", found.bounded),
        ("Unit costs from", found.sources),
    )
    return [(title, lines) for title, lines in lists if lines]
