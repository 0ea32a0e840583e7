"""Scenario `storm`: all viewers lose their connection at once and come back with their position.

Comments go on meanwhile. Every viewer is parsed and says from where it resumes; it is complete when
it has all that anybody had when its `welcome` came, and at the end nobody may miss a comment.
"""

from groundswell.bench import traffic
from groundswell.bench.plane import room
from groundswell.bench.plane.meter import PlaneMeter
from groundswell.bench.report import Row
from groundswell.bench.run import Run

CALM = 0.2  # of the time passes before the cut


def measure(
    run: Run, *, viewers: int, at_once: int, rate: float, plane: str
) -> tuple[list[Row], list[Row]]:
    """Cut everybody once; return the table's row and the record behind it."""
    rows, details = run.journal.start(legs=1)
    run.journal.begin(f"{viewers:,} viewers are cut")
    options = {"at-once": at_once, "connect-rate": "1e9"}
    with room.groundswell(run, plane) as server:
        with (
            traffic.watching(
                run.tools,
                server.port,
                viewers=viewers,
                core=run.client_core,
                sampled=viewers,
                options=options,
            ) as watching,
            room.posting(run, server, rate=rate, seconds=run.seconds) as (writers, wait),
        ):
            room.rest(CALM * run.seconds)
            meter = PlaneMeter(
                {server.name: server.process},
                {"viewers": watching.process, "writers": writers},
                server_core=run.server_core,
                client_core=run.client_core,
            )
            back = watching.cut()
            cpu, columns = meter.server_seconds(), meter.columns()
            wrote = wait()
            watching.wait_for(wrote.ok * viewers)
            saw = watching.finish()
        server.process.check()
    row: Row = {
        "viewers": viewers,
        "comments": wrote.ok,
        "back s": back.back_seconds,
        "complete s": back.complete_seconds,
        "complete": back.complete,
        "recovered": back.recovered,
        "join p99 ms": back.join_ms.p99 if back.join_ms else None,
        "complete p50 ms": back.complete_ms.p50 if back.complete_ms else None,
        "complete p99 ms": back.complete_ms.p99 if back.complete_ms else None,
        "CPU us/join": 1e6 * cpu / viewers,
        "lost viewers": saw.closed,
        "errors": traffic.errors(saw, due=wrote.ok * saw.sampled),
        **columns,
    }
    rows.append(row)
    details.append({**row, "back": traffic.as_record(back), "saw": traffic.as_record(saw)})
    return rows, details
