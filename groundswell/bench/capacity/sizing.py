"""What each role needs of nodes of a given size, with headroom.

Every function returns a `Need`: the smallest number of equal nodes of which none is over the
headroom, what they use together, and which resource decided.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from groundswell.bench.capacity.model import (
    ANSWER_BYTES,
    POST_BYTES,
    REACTION_BYTES,
    REPLICAS,
    SEGMENT_HEAD_BYTES,
    TOTALS_RATE,
    Event,
    cost,
    fan_out_cores,
    least,
    post_cores,
    viewer_bytes,
)
from groundswell.bench.capacity.units import Units
from groundswell.contract.settings import RoomSettings, StreamSettings

READS_OF_EVENTS = 2  # by persist: the comments and the index
JOIN_BYTES = 600  # of a handshake's request: assumed
MOST_NODES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine: bytes of memory, bytes a second of network in each direction."""

    cores: float = 16.0
    memory: float = 64 * 2.0**30
    bandwidth: float = 25e9 / 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """How much of a node is planned for, and how many nodes may be away."""

    busy: float = 0.6  # of a core
    network: float = 0.6
    memory: float = 0.75
    spare: int = 1


@dataclass(frozen=True, slots=True)
class Load:
    """What all nodes of a role use together. `cores` None: not measured."""

    cores: float | None
    memory: float
    out: float  # bytes a second
    into: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The answer for one role. `nodes` None: no number is enough, and `notes` say why."""

    role: str
    nodes: int | None  # spare ones included
    spare: int
    processes: int | None
    load: Load | None
    decided_by: str
    notes: list[str] = field(default_factory=list)


def nodes_for(
    role: str,
    load_of: Callable[[int], Load],
    *,
    node: Node,
    headroom: Headroom,
    processes: Callable[[int], int | None],
    at_least: int = 1,
    notes: list[str] | None = None,
) -> Need:
    """Return the need of a role; `load_of(n)` is what n nodes use together."""

    def shares(n: int) -> dict[str, float]:
        load = load_of(n)
        return {
            "cores": (load.cores or 0.0) / (n * node.cores * headroom.busy),
            "memory": load.memory / (n * node.memory * headroom.memory),
            "bandwidth out": load.out / (n * node.bandwidth * headroom.network),
            "bandwidth in": load.into / (n * node.bandwidth * headroom.network),
        }

    def enough(n: int) -> bool:
        return max(shares(n).values()) <= 1

    told = list(notes or [])
    found = least(enough, most=MOST_NODES)
    if found is None:
        told.append(f"{role}: nodes of this size are too small, however many")
        return Need(
            role=role,
            nodes=None,
            spare=0,
            processes=None,
            load=None,
            decided_by=_greatest(shares(MOST_NODES)),
            notes=told,
        )
    n = max(found, at_least)
    return Need(
        role=role,
        nodes=n + headroom.spare,
        spare=headroom.spare,
        processes=processes(n),
        load=load_of(n),
        decided_by="the fewest" if n > found or n == 1 else _greatest(shares(n)),
        notes=told,
    )


def _greatest(shares: dict[str, float]) -> str:
    return max(shares, key=lambda name: shares[name])


def totals_rate(event: Event) -> float:
    """Return how often a second a comment's totals are told."""
    return min(event.reactions, event.reacted * TOTALS_RATE)


def log_bytes(event: Event, units: Units) -> dict[str, float]:
    """Return bytes a second that each topic gets, one replica."""
    return {
        "events": event.comments * cost(units, "comment in the log"),
        "reactions": event.reactions * cost(units, "reaction in the log"),
        "totals": totals_rate(event) * cost(units, "total in the log"),
    }


def broker(event: Event, units: Units, node: Node, headroom: Headroom) -> Need:
    """Streams, and the reactions that come through them.

    Every process reads the whole video, so `reading` is paid once a process. What its event loop
    does (reading, reactions, joins) is at most one core of it; viewers' frames are other threads'.
    """
    stream, room = StreamSettings(), RoomSettings()
    joins = event.viewers / event.arrival
    loop = (joins * cost(units, "join") + event.reactions * cost(units, "reaction")) / 1e6
    reading = (
        event.comments * cost(units, "read") + totals_rate(event) * cost(units, "read total")
    ) / 1e6
    hub = fan_out_cores(event, units)
    topics = log_bytes(event, units)
    read_bytes = topics["events"] + topics["totals"]
    out, into = viewer_bytes(event, units, ping_interval=stream.ping_interval)
    a_viewer = cost(units, "viewer") + (
        cost(units, "viewer's kernel") if "viewer's kernel" in units else 0.0
    )
    remembered = event.comments * room.resume_window * cost(units, "remembered comment")
    a_process = cost(units, "process") + min(remembered, room.resume_bytes)
    if reading >= headroom.busy:
        note = f"broker: reading this video alone fills {reading:.2f} of a process's one core"
        return Need(
            role="broker",
            nodes=None,
            spare=0,
            processes=None,
            load=None,
            decided_by="reading",
            notes=[note],
        )
    least_processes = math.ceil(loop / (headroom.busy - reading))

    def processes(n: int) -> int:
        return n * max(1, math.ceil(least_processes / n))

    def load_of(n: int) -> Load:
        count = processes(n)
        return Load(
            cores=hub + loop + count * reading,
            memory=event.viewers * a_viewer + count * a_process,
            out=event.viewers * out
            + joins * cost(units, "welcome")
            + event.reactions * (REACTION_BYTES + SEGMENT_HEAD_BYTES),
            into=event.viewers * into
            + joins * JOIN_BYTES
            + event.reactions * (REACTION_BYTES + SEGMENT_HEAD_BYTES)
            + count * read_bytes,
        )

    return nodes_for("broker", load_of, node=node, headroom=headroom, processes=processes)


def ingest(event: Event, units: Units, node: Node, headroom: Headroom) -> Need:
    """Comments over HTTP. A process uses one core."""
    processes = least(lambda n: post_cores(units, event.comments / n) <= headroom.busy)
    if processes is None:
        note = "ingest: a process at rest is busier than planned for"
        return Need(
            role="ingest",
            nodes=None,
            spare=0,
            processes=None,
            load=None,
            decided_by="cores",
            notes=[note],
        )
    load = Load(
        cores=processes * post_cores(units, event.comments / processes),
        memory=processes * cost(units, "process"),
        out=event.comments * ANSWER_BYTES + log_bytes(event, units)["events"],
        into=event.comments * POST_BYTES,
    )
    return nodes_for(
        "ingest", lambda _: load, node=node, headroom=headroom, processes=lambda _: processes
    )


def persist(event: Event, units: Units, node: Node, headroom: Headroom) -> Need:
    """Projections. One video's comments are one partition's, and so one process's work."""
    storing = event.comments * cost(units, "stored comment") / 1e6
    counting = event.reactions * cost(units, "counted reaction") / 1e6
    processes = max(1, math.ceil((storing + counting) / headroom.busy))
    topics = log_bytes(event, units)
    into = READS_OF_EVENTS * topics["events"] + topics["reactions"]
    load = Load(
        cores=storing + counting,
        memory=processes * cost(units, "process"),
        out=into + topics["totals"],
        into=into,
    )
    notes = []
    if storing > headroom.busy:
        note = units["stored comment"].note
        notes.append(
            f"persist: the comments of one video are one process's work, of {storing:.2f} cores"
            + (f" ({note})" if note else "")
        )
    return nodes_for(
        "persist",
        lambda _: load,
        node=node,
        headroom=headroom,
        processes=lambda _: processes,
        notes=notes,
    )


def kafka(event: Event, units: Units, node: Node, headroom: Headroom, *, brokers: int) -> Need:
    """The log. `brokers` processes read the video's one partition of events from its one leader."""
    topics = log_bytes(event, units)
    written = sum(topics.values())
    readers = brokers * (topics["events"] + topics["totals"])
    readers += READS_OF_EVENTS * topics["events"] + topics["reactions"]
    load = Load(
        cores=None,
        memory=0.0,
        out=readers + (REPLICAS - 1) * written,
        into=REPLICAS * written,
    )
    leader = (brokers + READS_OF_EVENTS + REPLICAS - 1) * topics["events"]
    notes = []
    if leader > headroom.network * node.bandwidth:
        notes.append("Kafka: the leader of the video's partition sends more than a node is for")
    return nodes_for(
        "Kafka",
        lambda _: load,
        node=node,
        headroom=headroom,
        processes=lambda _: None,
        at_least=REPLICAS,
        notes=notes,
    )


def cassandra(event: Event, units: Units, node: Node, headroom: Headroom) -> Need:
    """The store. Cores are known where a result of real engines told them."""
    names = ("Cassandra comment", "Cassandra reaction")
    cores = None
    if all(name in units for name in names):
        cores = event.comments * units[names[0]].value + event.reactions * units[names[1]].value
        cores *= REPLICAS / 1e6
    topics = log_bytes(event, units)
    into = REPLICAS * (topics["events"] + topics["reactions"])
    load = Load(cores=cores, memory=0.0, out=into * (REPLICAS - 1) / REPLICAS, into=into)
    return nodes_for(
        "Cassandra",
        lambda _: load,
        node=node,
        headroom=headroom,
        processes=lambda _: None,
        at_least=REPLICAS,
    )
