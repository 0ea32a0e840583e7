"""Scenario `idle`: viewers of a room in which nothing happens but pings.

Every viewer parses what it gets and answers each ping, as a browser does. Memory is read with the
room there and nobody in it, and again with all viewers in it.
"""

import os
from pathlib import Path

from groundswell.bench import traffic
from groundswell.bench.plane import room
from groundswell.bench.plane.meter import PlaneMeter
from groundswell.bench.report import Row
from groundswell.bench.run import Run

PING_INTERVAL = 25.0  # seconds
# The kernel's names of what a TCP connection in an epoll is made of.
SOCKET_CACHES = frozenset(
    {"TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi", "ep_head", "lsm_file_cache"}
)
_ENV = {"GROUNDSWELL_STREAM_PING_INTERVAL": f"{PING_INTERVAL:g}"}


def measure(run: Run, *, viewers: int, plane: str) -> tuple[list[Row], list[Row]]:
    """Let viewers idle for the run's seconds; return the table's row and the record behind it."""
    rows, details = run.journal.start(legs=1)
    run.journal.begin(f"{viewers:,} viewers")
    # Viewers answer pings by themselves: no pongs unasked. All are sampled, so that all see pings.
    options = {"pong-seconds": 0}
    with room.groundswell(run, plane, _ENV) as server:
        room.fill(run, server)
        with traffic.watching(run.tools, server.port, viewers=1, core=run.client_core) as first:
            room.rest()
            first.finish()
        rss_before, kernel_before = server.process.rss_bytes(), kernel_bytes()
        with traffic.watching(
            run.tools,
            server.port,
            viewers=viewers,
            core=run.client_core,
            sampled=viewers,
            options=options,
        ) as watching:
            room.rest()
            rss_joined, kernel = server.process.rss_bytes(), kernel_bytes()
            meter = PlaneMeter(
                {server.name: server.process},
                {"viewers": watching.process},
                server_core=run.server_core,
                client_core=run.client_core,
            )
            room.rest(run.seconds)
            cpu, columns = meter.server_seconds(), meter.columns()
            rss = server.process.rss_bytes()
            saw = watching.finish()
        server.process.check()
    row: Row = {
        "server": server.name,
        "viewers": saw.connected,
        "seconds": run.seconds,
        "CPU %": 100 * cpu / run.seconds,
        "pings": saw.pings,
        "RSS MB before": rss_before / 1e6,
        "RSS MB joined": rss_joined / 1e6,
        "RSS MB after": rss / 1e6,
        "RSS KB/viewer": (rss - rss_before) / viewers / 1000,
        "kernel KB/viewer, both ends": (
            (kernel - kernel_before) / viewers / 1000
            if kernel is not None and kernel_before is not None
            else None
        ),
        "lost viewers": saw.closed,
        **columns,
    }
    rows.append(row)
    details.append({**row, "saw": traffic.as_record(saw)})
    return rows, details


def kernel_bytes() -> int | None:
    """Return the kernel's memory for sockets, their files and what they hold, of all processes.

    Objects are those of /proc/slabinfo, which root may read (None: we may not); what they hold are
    the pages of TCP in /proc/net/sockstat.
    """
    objects = pages = 0
    try:
        caches = Path("/proc/slabinfo").read_text().splitlines()
    except PermissionError:
        return None
    for line in caches:
        name, active, _, size, *_ = [*line.split(), "", "", ""]
        if name in SOCKET_CACHES:
            objects += int(active) * int(size)
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            pages = int(line.split()[-1])  # "... alloc 214 mem 30"
    return objects + pages * os.sysconf("SC_PAGE_SIZE")
