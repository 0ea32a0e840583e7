"""Running the two client tools and reading what they say."""

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec

from groundswell.bench.native_tools import Tools
from groundswell.bench.process import Process
from groundswell.bench.targets import VIDEO, post_path, stream_path

CONNECT_TIME = 90.0  # seconds for all viewers
GRACE = 20.0  # seconds a tool may take beyond its own limit, on a busy machine


Writing = AbstractContextManager[Process]


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds, from log-linear buckets: at most 1.6 % above the truth."""

    p50: float
    p90: float
    p99: float
    max: float


class ViewersSaw(msgspec.Struct, frozen=True):
    """What `viewers.c` prints. Comments, messages and latency are of the sampled viewers."""

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
    join_seconds: float = 0.0  # from the first connect() until all have joined
    join_ms: Latency | None = None  # of all viewers, from connect() to the handshake or welcome
    each_ms: list[tuple[int, float, float]] = []  # by comment: viewers, their median, the last


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
    """Connected viewers of one video."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def finish(self) -> ViewersSaw:
        """End the watching and return what was seen."""
        self.process.close_stdin()
        return msgspec.json.decode(self.process.read_line(within=GRACE), type=ViewersSaw)


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
    options: Mapping[str, object] | None = None,
) -> Iterator[Viewers]:
    """Connect viewers; all are there when the block is entered. About `sampled` are parsed.

    `options` are further ones of `viewers.c`.
    """
    every = max(1, viewers // sampled)
    argv = [str(tools.viewers), "--port", str(port), "--path", stream_path(video)]
    argv += ["--viewers", str(viewers), "--every", str(every), "--seconds", f"{seconds:g}"]
    argv += ["--connect-seconds", f"{CONNECT_TIME:g}"]
    for name, value in (options or {}).items():
        argv += [f"--{name}", str(value)]
    with Process(argv, core=core) as process:
        process.read_line(within=CONNECT_TIME + GRACE)
        yield Viewers(process)


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
) -> Iterator[Process]:
    """Start writers; rate 0 is a closed loop. Read the result with `written`.

    With `keys` every post has an Idempotency-Key of its own.
    """
    argv = [str(tools.writers), "--port", str(port), "--path", post_path(video)]
    argv += ["--tokens", str(tokens), "--seconds", f"{seconds:g}", "--rate", f"{rate:g}"]
    argv += ["--connections", str(connections), "--keys", "yes" if keys else "no"]
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


def as_record(saw: ViewersSaw | WritersSaw) -> dict[str, object]:
    """Return the record as plain data, for a report."""
    record: dict[str, object] = msgspec.to_builtins(saw)
    return record


def offered(rate: float, seconds: float) -> int:
    """Return how many comments an open loop of this rate makes: those due before its end.

    >>> offered(100, 2.5), offered(1, 0.5)
    (250, 1)
    """
    return math.ceil(rate * seconds - 1e-6)
