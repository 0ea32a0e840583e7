"""Scenario `joins`: a crowd comes at once, and everybody is sent the last comments.

A join is the TCP connection, the WebSocket handshake and a `welcome` of 50 comments, whole at the
viewer. `limit` sends ready-made bytes of the same size; nchan keeps all 50 comments as one message.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from groundswell.bench import targets, traffic
from groundswell.bench.cluster import UsesCpu
from groundswell.bench.plane import nchan, room
from groundswell.bench.plane.meter import PlaneMeter
from groundswell.bench.report import Row
from groundswell.bench.run import Run
from groundswell.bench.targets import VIDEO, Target

SERVERS = ("groundswell", "limit", "nchan", "naive")
WELCOME_BYTES = 16_000  # where groundswell is not measured, whose size is taken else
FRAME_HEAD = 4  # bytes, of a frame of 126 to 65,535 bytes
CONNECT_RATE = 1e9  # a second: nobody waits for a turn but for `at_once`


@dataclass(frozen=True, slots=True)
class _Host:
    """A server with a video that brings a `welcome`."""

    target: Target
    processes: UsesCpu


def measure(
    run: Run, *, viewers: int, at_once: int, servers: Sequence[str], plane: str
) -> tuple[list[Row], list[Row]]:
    """Run the burst against each server; return the table's rows and the records behind them."""
    rows, details = run.journal.start(legs=len(servers))
    size = WELCOME_BYTES
    for name in servers:
        run.journal.begin(name)
        if name == "nchan" and not nchan.installed():
            continue
        with _start(run, name, plane, size) as host:
            options = {"welcome": "yes", "at-once": at_once, "connect-rate": f"{CONNECT_RATE:g}"}
            welcome = _welcome_bytes(run, host)
            if name == "groundswell":
                size = welcome
            saw, columns, cpu = _burst(run, host, viewers, options)
        row: Row = {
            "server": name,
            "viewers": saw.connected,
            "joins/s": saw.connected / saw.join_seconds,
            "CPU us/join": 1e6 * cpu / saw.connected,
            "p50 ms": saw.join_ms.p50 if saw.join_ms else None,
            "p99 ms": saw.join_ms.p99 if saw.join_ms else None,
            "all joined s": saw.join_seconds,
            "KB a viewer": saw.viewer_bytes_min / 1000,
            "lost viewers": saw.closed,
            **columns,
        }
        rows.append(row)
        details.append({**row, "saw": traffic.as_record(saw)})
    return rows, details


def _burst(
    run: Run, host: _Host, viewers: int, options: dict[str, object]
) -> tuple[traffic.ViewersSaw, dict[str, object], float]:
    """Return what the crowd saw, the meter's columns, and the server's CPU seconds."""
    with traffic.watching(run.tools, host.target.port, viewers=1, core=run.client_core):
        # Somebody watches already, so that the room is there.
        room.rest()
        meter = PlaneMeter(
            {host.target.name: host.processes},
            {},
            server_core=run.server_core,
            client_core=run.client_core,
        )
        with traffic.watching(
            run.tools, host.target.port, viewers=viewers, core=run.client_core, options=options
        ) as watching:
            meter.add_client("viewers", watching.process)
            columns = meter.columns()
            room.rest()
            cpu = meter.server_seconds()
            saw = watching.finish()
    host.target.process.check()
    return saw, columns, cpu


def _welcome_bytes(run: Run, host: _Host) -> int:
    """Return the size of the frame that a viewer gets first."""
    options = {"welcome": "yes"}
    with traffic.watching(
        run.tools, host.target.port, viewers=1, core=run.client_core, options=options
    ) as watching:
        return watching.finish().viewer_bytes_min


@contextmanager
def _start(run: Run, name: str, plane: str, size: int) -> Iterator[_Host]:
    core = run.server_core
    if name == "limit":
        with targets.limit(
            run.tools, core=core, rate=1, seconds=1, tick_ms=0, welcome_bytes=size
        ) as target:
            yield _Host(target, target.process)
    elif name == "nchan":
        with nchan.nchan(core=core) as server:
            nchan.publish(server.target, VIDEO, _message(size - FRAME_HEAD))
            yield _Host(server.target, server.processes)
    elif name == "naive":
        arguments = ["--snapshot", str(room.SNAPSHOT)]
        with targets.peer(name, core=core, arguments=arguments) as target:
            room.fill(run, target)
            yield _Host(target, target.process)
    else:
        with room.groundswell(run, plane) as target:
            room.fill(run, target)
            yield _Host(target, target.process)


def _message(size: int) -> bytes:
    begin, end = b'{"type":"welcome","comments":["', b'"]}'
    return begin + b"x" * (size - len(begin) - len(end)) + end
