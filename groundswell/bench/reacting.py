"""Running the client that reacts, and reading what it says."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from groundswell.bench.native_tools import Tools
from groundswell.bench.process import Process
from groundswell.bench.traffic import CONNECT_TIME, GRACE, Latency
from groundswell.contract.clock import SystemClock
from groundswell.contract.ids import CommentIds

WARM_UP = 2.0  # seconds of load before the measurement


class ReactorsSaw(msgspec.Struct, frozen=True):
    """What `reactors.c` prints. `per_second` and latency are of the measured time only."""

    sockets: int
    closed: int
    sent: int
    acked: int
    refused: int
    unanswered: int
    skipped: int  # due while that socket had too much unanswered
    other_messages: int
    broken: int  # frames and answers that should not be
    per_second: float
    cpu_seconds: float
    errors: dict[str, int]
    latency_ms: Latency | None


def write_comments(path: Path, video: str, *, secret: str, count: int) -> Path:
    """Write ids of comments of this video, as a process with this secret would mint them."""
    ids = CommentIds(secret.encode(), now_ms=SystemClock().wall_ms)
    path.write_text("".join(f"{ids.mint(video)}\n" for _ in range(count)))
    return path


@contextmanager
def reactors(
    tools: Tools,
    port: int,
    *,
    video: str,
    tokens: Path,
    comments: Path,
    tally: Path,
    sockets: int,
    rate: float,
    window: int,
    seconds: float,
    core: int | None,
) -> Iterator[Process]:
    """Connect the sockets; they react from now on, and are measured once `wait_warm` returns."""
    options = {
        "port": port,
        "path": f"/live/{video}/comments/stream",
        "tokens": tokens,
        "comments": comments,
        "tally": tally,
        "sockets": sockets,
        "rate": rate,
        "window": window,
        "warm": WARM_UP,
        "seconds": seconds,
    }
    argv = [str(tools.reactors)]
    for name, value in options.items():
        argv += [f"--{name}", str(value)]
    with Process(argv, core=core) as process:
        process.read_line(within=CONNECT_TIME + GRACE)
        yield process


def wait_warm(process: Process) -> None:
    """Return when the measured time begins."""
    process.read_line(within=WARM_UP + GRACE)


def sleep(seconds: float) -> None:
    """Let the load run."""
    time.sleep(seconds)


def reacted(process: Process) -> ReactorsSaw:
    """Wait for the client to end and return what it saw."""
    return msgspec.json.decode(process.read_line(within=GRACE), type=ReactorsSaw)


def read_tally(path: Path) -> Counter[tuple[str, int]]:
    """Return how many reactions were acknowledged, by comment and code of the reaction."""
    tally: Counter[tuple[str, int]] = Counter()
    for line in path.read_text().splitlines():
        comment, *counts = line.split()
        tally.update({(comment, code): int(n) for code, n in enumerate(counts, 1) if n != "0"})
    return tally


def as_record(saw: ReactorsSaw) -> dict[str, object]:
    """Return the record as plain data, for a report."""
    record: dict[str, object] = msgspec.to_builtins(saw)
    return record
