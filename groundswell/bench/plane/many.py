"""Scenario `many`: as many viewers as a machine holds, over several workers and a real Kafka.

`groundswell broker --workers N` on the server's core, `groundswell ingest` beside it, as many
client processes as are needed (a process may have 20,000 files open, here and there). Comments come
one by one; each must be on every screen within three seconds.
"""

import contextlib
import os
import signal
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from groundswell.bench import tokens, traffic
from groundswell.bench.cluster import Cluster, UsesCpu
from groundswell.bench.engines import Engine
from groundswell.bench.metrics import get
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.plane import room
from groundswell.bench.plane.idle import kernel_bytes
from groundswell.bench.plane.meter import PlaneMeter
from groundswell.bench.process import rss_bytes
from groundswell.bench.report import Row
from groundswell.bench.run import Run
from groundswell.bench.servers import environment
from groundswell.bench.targets import Target

A_CLIENT = 15_000  # viewers of one client process
A_WORKER = 16_000  # at most, on average: the kernel spreads them by chance, within a percent or two
GAP = 5.0  # seconds between two comments
WITHIN_MS = 3000.0  # from when a comment is due to be posted to the last viewer
WATCH_TIME = 3600.0  # seconds that a client stays at most
ENDING_TIME = 15.0  # seconds for workers to end by themselves
SOURCES = 64  # addresses of a client: an address has 28,000 ports to one server


@dataclass(frozen=True, slots=True)
class Memory:
    """What a moment's memory was, in bytes."""

    workers: int  # resident
    kernel: int | None  # of sockets, both ends
    available: int  # of the machine

    @classmethod
    def now(cls, pids: Sequence[int]) -> "Memory":
        """Read it."""
        text = Path("/proc/meminfo").read_text()
        line = next(line for line in text.splitlines() if line.startswith("MemAvailable:"))
        return cls(sum(map(rss_bytes, pids)), kernel_bytes(), int(line.split()[1]) * 1024)


def workers_for(viewers: int) -> int:
    """Return how many workers so many viewers need.

    >>> workers_for(40_000), workers_for(150_000)
    (3, 10)
    """
    return -(-viewers // A_WORKER)


def measure(
    run: Run, cluster: Cluster, *, viewers: int, workers: int, comments: int, plane: str
) -> tuple[list[Row], list[Row]]:
    """Run it; return the table's row and what each client saw."""
    rows, details = run.journal.start(legs=1)
    run.journal.begin(f"{viewers:,} viewers")
    users = run.tokens.with_name("many-tokens")
    tokens.write_tokens(users, secret=cluster.auth_secret, users=1)
    env = {
        **environment(plane),
        "GROUNDSWELL_SERVER_WORKERS": str(workers),
        "GROUNDSWELL_SERVER_DRAIN_TIME": "0",  # the viewers are gone before
    }
    core = run.server_core
    with (
        cluster.role("ingest", core=core, env=environment(plane)) as ingest,
        _ending_workers() as started,
        cluster.role("broker", core=core, env=env) as broker,
    ):
        started += _workers(broker)
        before = Memory.now(started)
        with ExitStack() as stack:
            clients = _connect(run, stack, broker, viewers)
            room.rest()
            joined = Memory.now(started)
            processes: dict[str, UsesCpu] = {name: one.process for name, one in clients.items()}
            meter = PlaneMeter(
                {"broker": Engine("broker", (broker.process.pid,)), "ingest": ingest.process},
                {**processes, **cluster.engines},
                server_core=core,
                client_core=run.client_core,
            )
            with traffic.writing(
                run.tools,
                ingest.port,
                tokens=users,
                seconds=comments * GAP,
                connections=1,
                core=run.client_core,
                rate=1 / GAP,
            ) as writers:
                wrote = traffic.written(writers, within=comments * GAP)
            room.rest()
            cpu, columns = meter.server_seconds(), meter.columns()
            after = Memory.now(started)
            saw = [client.finish() for client in clients.values()]
        if _workers(broker) != started:
            raise ToolFailed("a worker ended and was started again")
    row: Row = {
        "workers": workers,
        "clients": len(saw),
        **_received(saw, viewers=viewers, comments=wrote.ok),
        "CPU us/delivery": 1e6 * cpu / max(1, sum(one.comments for one in saw)),
        "workers' RSS MB": after.workers / 1e6,
        "RSS KB/viewer": (joined.workers - before.workers) / viewers / 1000,
        "kernel MB, both ends": _difference(joined.kernel, before.kernel),
        "memory in all MB": (before.available - after.available) / 1e6,
        **columns,
    }
    rows.append(row)
    details.append({**row, "clients": [traffic.as_record(one) for one in saw]})
    return rows, details


def _received(
    saw: Sequence[traffic.ViewersSaw], *, viewers: int, comments: int
) -> dict[str, object]:
    """Return the columns that say who got the comments, and when.

    A comment has reached all when all clients have counted it at each of their viewers.
    """
    each = [
        column
        for column in zip(*(one.each_ms for one in saw), strict=False)
        if sum(count for count, _, _ in column) == viewers
    ]
    last = [max(last for _, _, last in column) for column in each]
    medians = [statistics.median(median for _, median, _ in column) for column in each]
    return {
        "viewers": sum(one.connected for one in saw),
        "lost viewers": sum(one.closed for one in saw),
        "comments": comments,
        "reached all": len(each),
        f"all within {WITHIN_MS / 1000:g} s": (
            "yes" if comments and len(each) == comments and max(last) <= WITHIN_MS else "NO"
        ),
        "median ms": statistics.median(medians) if medians else None,
        "last ms": max(last, default=None),
    }


def _connect(
    run: Run, stack: ExitStack, broker: Target, viewers: int
) -> dict[str, traffic.Viewers]:
    """Start the clients one after another; each is complete before the next begins."""
    clients: dict[str, traffic.Viewers] = {}
    options = {"each": "yes", "pong-seconds": 0, "sources": SOURCES, "connect-rate": "20000"}
    for first in range(0, viewers, A_CLIENT):
        count = min(A_CLIENT, viewers - first)
        clients[f"viewers-{len(clients) + 1}"] = stack.enter_context(
            traffic.watching(
                run.tools,
                broker.port,
                viewers=count,
                core=run.client_core,
                sampled=count,
                seconds=WATCH_TIME,
                options=options,
            )
        )
    return clients


def _workers(broker: Target) -> list[int]:
    """Return the process ids of all workers, which are ready."""
    assert broker.internal_port is not None  # noqa: S101 - roles have one
    status, body = get(broker.internal_port, "/ready")
    if status != 200:
        raise ToolFailed(f"the broker is not ready: {body}")
    return [worker["pid"] for worker in orjson.loads(body)["workers"]]


@contextmanager
def _ending_workers() -> Iterator[list[int]]:
    """Yield a list for pids of workers; when left, those that outlived their parent are killed."""
    pids: list[int] = []
    try:
        yield pids
    finally:
        deadline = time.monotonic() + ENDING_TIME
        while any(map(_is_worker, pids)) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in filter(_is_worker, pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _is_worker(pid: int) -> bool:
    try:
        return b"groundswell" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _difference(after: int | None, before: int | None) -> float | None:
    return None if after is None or before is None else (after - before) / 1e6
