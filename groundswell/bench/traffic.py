"""Running the two client tools and reading what they say."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec

from groundswell.bench.native_tools import Tools
from groundswell.bench.process import Process
from groundswell.bench.targets import OURS, VIDEO, Dialect

CONNECT_TIME = 90.0  # seconds for all viewers
PATIENCE = 3.0  # seconds after the last answer, after which what has not arrived is missing
GRACE = 20.0  # seconds a tool may take beyond its own limit, on a busy machine


Writing = AbstractContextManager[Process]


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds, from log-linear buckets: at most 1.6 % above the truth."""

    p50: float
    p90: float
    p99: float
    max: float


class ViewersSaw(msgspec.Struct, frozen=True):
    """What `viewers.c` prints. Comments, messages and latency are of the sampled viewers.

    A comment that comes again is counted in `twice` and nowhere else, one of another room in
    `strays`. `disordered` came behind one that was posted after it had been answered.
    """

    viewers: int
    connected: int
    closed: int
    sampled: int
    comments: int
    messages: int
    welcomes: int
    pings: int
    errors: int
    bytes: int
    sampled_bytes: int
    viewer_bytes_min: int
    viewer_bytes_max: int
    seconds: float
    active_seconds: float
    cpu_seconds: float
    latency_ms: Latency | None
    twice: int = 0
    disordered: int = 0
    strays: int = 0
    cuts: int = 0  # that the tool made itself
    held_max: int = 0  # bytes that the kernel held for a viewer, at most
    join_seconds: float = 0.0  # from the first connect() until all have joined
    join_ms: Latency | None = None  # of all viewers, from connect() to the handshake or welcome
    each_ms: list[tuple[int, float, float]] = []  # by comment: viewers, their median, the last


class Back(msgspec.Struct, frozen=True):
    """What `viewers.c` prints after a cut: when viewers were back, and had seen everything."""

    back_seconds: float  # until the last had its welcome
    complete_seconds: float  # until the last had all comments again
    complete: int
    recovered: int
    join_ms: Latency | None
    complete_ms: Latency | None  # of all viewers, from the cut on


class WritersSaw(msgspec.Struct, frozen=True):
    """What `writers.c` prints. `per_second` counts answers within the run's own time."""

    sent: int
    answered: int
    ok: int
    other: int
    lost: int
    unanswered: int
    seconds: float
    per_second: float
    cpu_seconds: float
    statuses: dict[str, int]
    latency_ms: Latency | None


class Viewers:
    """Connected viewers of one video, `sampled` of which are parsed."""

    def __init__(self, process: Process, *, sampled: int = 1) -> None:
        self.process = process
        self.sampled = sampled

    def cut(self) -> Back:
        """Cut all at once, and wait until all are back with everything; all must be sampled."""
        self.process.write_line("cut")
        line = self.process.read_line(within=2 * CONNECT_TIME + GRACE)
        return msgspec.json.decode(line, type=Back)

    def wait_for(self, comments: int) -> None:
        """Wait until sampled viewers have got so many comments together, or `PATIENCE` is over."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.process.write_line("count")
            if int(self.process.read_line(within=GRACE)) >= comments:
                return
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)

    def finish(self) -> ViewersSaw:
        """End the watching and return what was seen."""
        self.process.close_stdin()
        return self.result(within=GRACE)

    def result(self, *, within: float) -> ViewersSaw:
        """Wait until the watching ends by itself, and return what was seen."""
        return msgspec.json.decode(self.process.read_line(within=within), type=ViewersSaw)


@contextmanager
def watching(
    tools: Tools,
    port: int,
    *,
    viewers: int,
    core: int | None,
    sampled: int = 100,
    seconds: float = 300.0,
    video: str = VIDEO,
    dialect: Dialect = OURS,
    options: Mapping[str, object] | None = None,
) -> Iterator[Viewers]:
    """Connect viewers; all are there when the block is entered. About `sampled` are parsed.

    `options` are further ones of `viewers.c`.
    """
    every = max(1, viewers // sampled)
    argv = [str(tools.viewers), "--port", str(port), "--path", dialect.stream_path(video)]
    argv += ["--viewers", str(viewers), "--every", str(every), "--seconds", f"{seconds:g}"]
    argv += ["--connect-seconds", f"{CONNECT_TIME:g}"]
    argv += ["--say", dialect.hello(video)] if dialect.say else []
    for name, value in (options or {}).items():
        argv += [f"--{name}", str(value)]
    with Process(argv, core=core) as process:
        process.read_line(within=CONNECT_TIME + GRACE)
        yield Viewers(process, sampled=-(-viewers // every))


@contextmanager
def writing(
    tools: Tools,
    port: int,
    *,
    tokens: Path,
    seconds: float,
    connections: int,
    core: int | None,
    rate: float = 0.0,
    keys: bool = False,
    video: str = VIDEO,
    dialect: Dialect = OURS,
    options: Mapping[str, object] | None = None,
) -> Iterator[Process]:
    """Start writers; rate 0 is a closed loop. Read the result with `written`.

    With `keys` every post has an Idempotency-Key of its own. `options` are further ones of
    `writers.c`.
    """
    argv = [str(tools.writers), "--port", str(port), "--path", dialect.post_path(video)]
    argv += ["--head", dialect.body_head(video), "--tail", dialect.tail]
    argv += ["--tokens", str(tokens), "--seconds", f"{seconds:g}", "--rate", f"{rate:g}"]
    argv += ["--connections", str(connections), "--keys", "yes" if keys else "no"]
    for name, value in (options or {}).items():
        argv += [f"--{name}", str(value)]
    with Process(argv, core=core) as process:
        yield process


@contextmanager
def asking(
    tools: Tools,
    port: int,
    *,
    path: str,
    tokens: Path,
    seconds: float,
    connections: int,
    core: int | None,
) -> Iterator[Process]:
    """Start a closed loop of GETs of one path. Read the result with `written`."""
    argv = [str(tools.writers), "--port", str(port), "--path", path, "--get", "yes"]
    argv += ["--tokens", str(tokens), "--seconds", f"{seconds:g}"]
    argv += ["--connections", str(connections)]
    with Process(argv, core=core) as process:
        yield process


def written(writers: Process, *, within: float) -> WritersSaw:
    """Wait for writers to end and return what they saw."""
    line = writers.read_line(within=within + GRACE)
    return msgspec.json.decode(line, type=WritersSaw)


def as_record(saw: ViewersSaw | WritersSaw | Back) -> dict[str, object]:
    """Return the record as plain data, for a report."""
    record: dict[str, object] = msgspec.to_builtins(saw)
    return record


def errors(saw: ViewersSaw, *, due: int) -> str:
    """Say in a few words what sampled viewers got wrong; empty: nothing.

    `due` are the deliveries that they should have got, all together: of what was accepted.
    """
    found = {
        "missing": due - saw.comments,
        "twice": saw.twice,
        "out of order": saw.disordered,
        "of other rooms": saw.strays,
        "wrong frames": saw.errors,
    }
    return ", ".join(f"{count:,} {what}" for what, count in found.items() if count > 0)


def offered(rate: float, seconds: float, *, peak: float = 0.0, rise: float = 0.0) -> int:
    """Return how many comments an open loop of this rate makes: those due before its end.

    With `rise` the rate climbs evenly to `peak` within so many seconds, and stays there.

    >>> offered(100, 2.5), offered(1, 0.5), offered(10, 5, peak=30, rise=4)
    (250, 1, 110)
    """
    climbing = min(rise, seconds)
    reached = rate + (peak - rate) * climbing / rise if rise else rate
    return math.ceil((rate + reached) / 2 * climbing + reached * (seconds - climbing) - 1e-6)
