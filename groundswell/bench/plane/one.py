"""Scenario `one`: one comment into an idle room, as every viewer gets it.

Comments come so far apart that each finds the room at rest. The C loop makes its own; groundswell's
come by POST through gate and log, and their time counts from when they were due to be posted.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from groundswell.bench import servers as servers_of_bench
from groundswell.bench import traffic
from groundswell.bench.plane import room
from groundswell.bench.plane.meter import PlaneMeter
from groundswell.bench.report import Row
from groundswell.bench.run import Run
from groundswell.bench.servers import Wanted
from groundswell.bench.targets import Target

SERVERS = servers_of_bench.NAMES
GAP = 1.0  # seconds between two comments


def measure(
    run: Run, *, viewers: int, comments: int, servers: Sequence[str], plane: str
) -> tuple[list[Row], list[Row]]:
    """Post comments one by one; return the table's rows and the records behind them."""
    present = servers_of_bench.present(run, servers)
    rows, details = run.journal.start(legs=len(present))
    wanted = Wanted(plane=plane, rate=1 / GAP, seconds=comments * GAP)
    for name in present:
        run.journal.begin(name)
        with servers_of_bench.start(run, name, wanted) as server:
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
        dialect=server.dialect,
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
        "errors": traffic.errors(saw, due=comments * saw.sampled),
        **columns,
    }
    return row, {**row, "saw": traffic.as_record(saw), "settings": dict(server.settings)}


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
