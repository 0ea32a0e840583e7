"""Starting any of the servers that a scenario measures side by side, by its name.

A peer that is not installed is left out, with the reason; the others are measured all the same.
"""

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata

from groundswell.bench import targets
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.peers import centrifugo, nchan
from groundswell.bench.run import Run
from groundswell.bench.targets import COMMENTS, Target

PYTHON_PEERS = {"naive": "aiohttp", "websockets": "websockets"}  # and the package each shows
PEERS = ("naive", "websockets", "nchan", "centrifugo")
NAMES = ("limit", *PEERS, "groundswell")
GROUNDSWELL_ENV = {
    "GROUNDSWELL_LIMITS_ENABLED": "false",
    "GROUNDSWELL_ROOM_DISPLAY_RATE": "0",  # everybody is sent everything, as by the others
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a scenario wants of whichever server is started; each takes what concerns it."""

    plane: str  # of groundswell
    env: Mapping[str, str] = field(default_factory=dict)  # of groundswell, beside the bench's own
    rate: float = 1.0  # comments a second that the limit makes up
    seconds: float = 1.0  # for how long it does
    tick_ms: float = 0.0  # the least time between two passes; 0: the server's own
    welcome_bytes: int = 0  # of what the limit sends a viewer first
    snapshot: int = 0  # comments that a Python peer sends first; nchan then keeps a message


def environment(plane: str) -> dict[str, str]:
    """Return what groundswell is started with."""
    return {**GROUNDSWELL_ENV, "GROUNDSWELL_STREAM_PLANE": plane}


def missing(run: Run, name: str) -> str:
    """Say what a server lacks on this machine; empty: nothing."""
    if name == "nchan":
        return nchan.missing()
    if name == "centrifugo":
        return centrifugo.missing(run.centrifugo)
    package = PYTHON_PEERS.get(name)
    if package is None or importlib.util.find_spec(package):
        return ""
    return f"it needs the package {package}"


def present(run: Run, names: Iterable[str]) -> list[str]:
    """Return those that can be started, and note with the run why the others cannot."""
    found = []
    for name in names:
        if why := missing(run, name):
            run.journal.skipped[name] = why
        else:
            found.append(name)
    return found


@contextmanager
def start(run: Run, name: str, wanted: Wanted) -> Iterator[Target]:
    """Start a server on the server's core; it listens when the block is entered.

    Raises:
        ToolFailed: it is not there, or did not start.
    """
    core = run.server_core
    if name == "limit":
        starting = targets.limit(
            run.tools,
            core=core,
            rate=wanted.rate,
            seconds=wanted.seconds,
            tick_ms=wanted.tick_ms,
            welcome_bytes=wanted.welcome_bytes,
        )
    elif name in PYTHON_PEERS:
        starting = targets.peer(
            name,
            core=core,
            arguments=["--snapshot", str(wanted.snapshot)],
            dialect=COMMENTS,
            settings={"version": metadata.version(PYTHON_PEERS[name]), "compression": None},
        )
    elif name == "nchan":
        starting = nchan.nchan(core=core, keeps=wanted.snapshot > 0)
    elif name == "centrifugo":
        starting = centrifugo.centrifugo(run.centrifugo, core=core)
    elif name == "groundswell":
        env = {**environment(wanted.plane), **wanted.env}
        if wanted.tick_ms > 0:  # the limit's, so that both pass over their viewers as often
            env["GROUNDSWELL_ROOM_TICK_MIN"] = f"{wanted.tick_ms / 1000:g}"
        starting = targets.groundswell(core=core, secret=run.secret, env=env)
    else:
        raise ToolFailed(f"{name} is no server of the bench")
    with starting as target:
        yield target
