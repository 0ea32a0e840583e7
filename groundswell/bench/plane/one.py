"""Scenario `one`: one comment into an idle room, as every viewer gets it.

Comments come so far apart that each finds the room at rest. The C loop makes its own; groundswell's
come by POST through gate and log, and their time counts from when they were due to be posted.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from groundswell.bench import targets, traffic
from groundswell.bench.plane import room
from groundswell.bench.plane.meter import PlaneMeter
from groundswell.bench.report import Row
from groundswell.bench.run import Run
from groundswell.bench.targets import Target

SERVERS = ("limit", "groundswell", "naive")
GAP = 1.0  # seconds between two comments


def measure(
    run: Run, *, viewers: int, comments: int, servers: Sequence[str], plane: str
) -> tuple[list[Row], list[Row]]:
    """Post comments one by one; return the table's rows and the records behind them."""
    rows, details = run.journal.start(legs=len(servers))
    for name in servers:
        run.journal.begin(name)
        with _start(run, name, comments, plane) as server:
            row, detail = _measure_server(run, server, viewers=viewers, comments=comments)
        rows.append(row)
        details.append(detail)
    return rows, details


def _measure_server(run: Run, server: Target, *, viewers: int, comments: int) -> tuple[Row, Row]:
    with traffic.watching(
        run.tools,
        server.port,
        viewers=viewers,
        core=run.client_core,
        sampled=viewers,
        options={"each": "yes"},
    ) as watching:
        room.rest()
        meter = PlaneMeter(
            {server.name: server.process},
            {"viewers": watching.process},
            server_core=run.server_core,
            client_core=run.client_core,
        )
        with _comments(run, server, meter, comments) as wait:
            wait()
            room.rest()
            cpu, columns = meter.server_seconds(), meter.columns()
        saw = watching.finish()
    server.process.check()
    # What not all viewers have got has no last one.
    whole = [(median, last) for count, median, last in saw.each_ms if count == saw.sampled]
    row: Row = {
        "server": server.name,
        "viewers": saw.connected,
        "comments": comments,
        "reached all": len(whole),
        "median ms": statistics.median(median for median, _ in whole) if whole else None,
        "last ms": statistics.median(last for _, last in whole) if whole else None,
        "worst last ms": max(last for _, last in whole) if whole else None,
        "CPU us/delivery": 1e6 * cpu / max(1, saw.comments),
        "lost viewers": saw.closed,
        **columns,
    }
    return row, {**row, "saw": traffic.as_record(saw)}


@contextmanager
def _comments(
    run: Run, server: Target, meter: PlaneMeter, comments: int
) -> Iterator[Callable[[], None]]:
    """Start the comments; what is yielded waits for the last one."""
    seconds = comments * GAP
    with ExitStack() as stack:
        if server.name == "limit":

            def wait() -> None:
                server.process.read_line(within=seconds + traffic.GRACE)

            server.process.write_line("go")
        else:
            process, wait_written = stack.enter_context(
                room.posting(run, server, rate=1 / GAP, seconds=seconds)
            )
            meter.add_client("writers", process)

            def wait() -> None:
                wait_written()

        yield wait


@contextmanager
def _start(run: Run, name: str, comments: int, plane: str) -> Iterator[Target]:
    if name == "limit":
        with targets.limit(
            run.tools, core=run.server_core, rate=1 / GAP, seconds=comments * GAP, tick_ms=0
        ) as target:
            yield target
    elif name == "naive":
        with targets.peer(name, core=run.server_core) as target:
            yield target
    else:
        with room.groundswell(run, plane) as target:
            yield target
