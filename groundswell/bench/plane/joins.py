"""Scenario `joins`: a crowd comes at once, and everybody is sent the last comments.

A join is the TCP connection, the WebSocket handshake and a `welcome` of 50 comments, whole at the
viewer. `limit` sends ready-made bytes of the same size; nchan keeps all 50 comments as one message.
Centrifugo has no such snapshot: it is left out.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from groundswell.bench import servers as servers_of_bench
from groundswell.bench import traffic
from groundswell.bench.peers import nchan
from groundswell.bench.plane import room
from groundswell.bench.plane.meter import PlaneMeter
from groundswell.bench.report import Row
from groundswell.bench.run import Run
from groundswell.bench.servers import Wanted
from groundswell.bench.targets import VIDEO, Target

SERVERS = ("groundswell", "limit", "nchan", "naive", "websockets")
WELCOME_BYTES = 16_000  # where groundswell is not measured, whose size is taken else
FRAME_HEAD = 4  # bytes, of a frame of 126 to 65,535 bytes
CONNECT_RATE = 1e9  # a second: nobody waits for a turn but for `at_once`


def measure(
    run: Run, *, viewers: int, at_once: int, servers: Sequence[str], plane: str
) -> tuple[list[Row], list[Row]]:
    """Run the burst against each server; return the table's rows and the records behind them."""
    present = servers_of_bench.present(run, servers)
    rows, details = run.journal.start(legs=len(present))
    size = WELCOME_BYTES
    for name in present:
        run.journal.begin(name)
        with _filled(run, name, plane, size) as server:
            options = {"welcome": "yes", "at-once": at_once, "connect-rate": f"{CONNECT_RATE:g}"}
            welcome = _welcome_bytes(run, server)
            if name == "groundswell":
                size = welcome
            settings = dict(server.settings)
            saw, columns, cpu = _burst(run, server, viewers, options)
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
        details.append({**row, "saw": traffic.as_record(saw), "settings": settings})
    return rows, details


def _burst(
    run: Run, server: Target, viewers: int, options: dict[str, object]
) -> tuple[traffic.ViewersSaw, dict[str, object], float]:
    """Return what the crowd saw, the meter's columns, and the server's CPU seconds."""
    with traffic.watching(run.tools, server.port, viewers=1, core=run.client_core):
        # Somebody watches already, so that the room is there.
        room.rest()
        meter = PlaneMeter(
            {server.name: server.process},
            {},
            server_core=run.server_core,
            client_core=run.client_core,
        )
        with traffic.watching(
            run.tools, server.port, viewers=viewers, core=run.client_core, options=options
        ) as watching:
            meter.add_client("viewers", watching.process)
            columns = meter.columns()
            room.rest()
            cpu = meter.server_seconds()
            saw = watching.finish()
    server.process.check()
    return saw, columns, cpu


def _welcome_bytes(run: Run, server: Target) -> int:
    """Return the size of the frame that a viewer gets first."""
    options = {"welcome": "yes"}
    with traffic.watching(
        run.tools, server.port, viewers=1, core=run.client_core, options=options
    ) as watching:
        return watching.finish().viewer_bytes_min


@contextmanager
def _filled(run: Run, name: str, plane: str, size: int) -> Iterator[Target]:
    """Start a server with a video that brings everybody a first frame of about `size` bytes."""
    wanted = Wanted(plane=plane, welcome_bytes=size, snapshot=room.SNAPSHOT)
    with servers_of_bench.start(run, name, wanted) as server:
        if name == "nchan":
            nchan.publish(server, VIDEO, _message(size - FRAME_HEAD))
        elif name != "limit":
            room.fill(run, server)
        yield server


def _message(size: int) -> bytes:
    begin, end = b'{"type":"welcome","comments":["', b'"]}'
    return begin + b"x" * (size - len(begin) - len(end)) + end
