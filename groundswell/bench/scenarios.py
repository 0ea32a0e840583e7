"""All scenarios that measure servers side by side, as data; the commands are made of it.

`module.measure(run, **sizes)` takes a keyword for each size, and `servers` and `plane` where the
scenario has them. `module.SERVERS` are the servers that it can measure. A module is imported when
it is asked for, so that the table costs nothing.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType

MOST = 19_000  # viewers of one process: it may have 20,000 files open


@dataclass(frozen=True, slots=True)
class Size:
    """A number that a scenario takes, or several with commas between them, and their bounds."""

    default: float | tuple[float, ...]  # the type of all values: int or float
    low: float
    high: float
    help: str
    scales: bool = False  # with `plane --scale`


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A command of the bench."""

    path: str  # of its module, below groundswell.bench
    summary: str
    sizes: Mapping[str, Size] = field(default_factory=dict)
    seconds: float | None = None  # of each measurement; None: its sizes say how long it takes
    target: bool = False  # whether the plane has targets for it, and `plane` runs it
    target_seconds: float = 0  # of each measurement, there

    @property
    def name(self) -> str:
        """The command's name."""
        return self.path.rpartition(".")[2]

    @property
    def module(self) -> ModuleType:
        """Its module, loaded now."""
        return importlib.import_module(f"groundswell.bench.{self.path}")

    @property
    def servers(self) -> tuple[str, ...]:
        """Those that it can measure side by side; none: it is about groundswell alone."""
        return getattr(self.module, "SERVERS", ())


def _viewers(default: int) -> Size:
    return Size(default, 1, MOST, "In one room.", scales=True)


SCENARIOS = (
    Scenario(
        path="fanout",
        summary="Deliveries a second and their latency in one large room, beside limit and peers.",
        seconds=10,
        sizes={
            "viewers": _viewers(5000),
            "rates": Size((1.0, 10.0, 100.0), 0.01, 10_000, "Comments a second."),
            "tick_ms": Size(
                100.0,
                0,
                1000,
                "Least time between two passes of limit and groundswell; 0: their own.",
            ),
        },
    ),
    Scenario(
        path="plane.joins",
        summary="A burst of viewers, each with a welcome of 50 comments, beside peers.",
        sizes={
            "viewers": _viewers(15_000),
            "at_once": Size(500, 1, 4000, "Joins under way at a time."),
        },
        target=True,
    ),
    Scenario(
        path="plane.idle",
        summary="CPU and memory of viewers who get pings and nothing else.",
        seconds=60,
        sizes={"viewers": _viewers(10_000)},
        target=True,
        target_seconds=50,
    ),
    Scenario(
        path="plane.uplink",
        summary="Reactions a second over sockets, and fan-out with and without them.",
        seconds=10,
        sizes={
            "sockets": Size(2000, 1, 10_000, "Of as many users.", scales=True),
            "viewers": _viewers(1000),
            "window": Size(4, 1, 64, "Reactions of a socket that are unanswered at a time."),
        },
        target=True,
        target_seconds=6,
    ),
    Scenario(
        path="plane.beside",
        summary="A small room's latency, alone and beside a large room under load.",
        seconds=10,
        sizes={
            "small": Size(10, 1, 1000, "Viewers of the small room."),
            "large": Size(15_000, 1, 18_000, "Viewers of the large room.", scales=True),
            "rate": Size(20.0, 0.1, 1000, "Comments a second of the large room."),
        },
        target=True,
        target_seconds=8,
    ),
    Scenario(
        path="plane.one",
        summary="One comment into an idle room: its median and its last viewer, beside peers.",
        sizes={"viewers": _viewers(10_000), "comments": Size(8, 1, 100, "One a second.")},
        target=True,
    ),
    Scenario(
        path="plane.sweep",
        summary="What a delivery costs with 1,000 to 15,000 viewers in a process.",
        seconds=10,
        sizes={
            "sizes": Size((1000, 5000, 10_000, 15_000), 1, MOST, "Viewers.", scales=True),
            "deliveries": Size(30_000.0, 1, 1e6, "A second, of each size.", scales=True),
        },
        target=True,
        target_seconds=4,
    ),
    Scenario(
        path="plane.memory",
        summary="Resident bytes of an idle viewer, by address and token.",
        sizes={"viewers": _viewers(10_000)},
    ),
    Scenario(
        path="plane.adverse",
        summary="A room's viewers beside slow, deaf and flapping ones, and beside SSE.",
        seconds=15,  # until the sockets of deaf ones are full
        sizes={
            "viewers": _viewers(5000),
            "others": Size(500, 1, 10_000, "Viewers that behave otherwise."),
            "rate": Size(100.0, 0.1, 1000, "Comments a second."),
        },
    ),
    Scenario(
        path="plane.storm",
        summary="All viewers are cut at once and come back with their position.",
        seconds=15,
        sizes={
            "viewers": _viewers(5000),
            "at_once": Size(500, 1, 4000, "Joins under way at a time."),
            "rate": Size(10.0, 0.1, 1000, "Comments a second meanwhile."),
        },
    ),
    Scenario(
        path="plane.spike",
        summary="From a comment a second to a thousand within five seconds.",
        seconds=10,
        sizes={
            "viewers": _viewers(1000),
            "rate": Size(1.0, 0.1, 1000, "Comments a second at first."),
            "peak": Size(1000.0, 1, 10_000, "Comments a second then."),
            "rise": Size(5.0, 0.1, 60, "Seconds from the one to the other."),
        },
    ),
    Scenario(
        path="plane.rooms",
        summary="Many small rooms in one process.",
        seconds=10,
        sizes={
            "rooms": Size(1000, 1, MOST, "Each with as many viewers."),
            "viewers": Size(5000, 1, MOST, "In all rooms together.", scales=True),
            "rate": Size(200.0, 0.1, 10_000, "Comments a second, to all rooms in turn."),
        },
    ),
)
