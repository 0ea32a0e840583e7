"""Scenario `spike`: a quiet room gets loud within seconds, and stays so.

The rate climbs evenly from `rate` to `peak` comments a second. Latency is of all comments, so that
a server which falls behind at the peak shows it.
"""

from groundswell.bench import traffic
from groundswell.bench.plane import room
from groundswell.bench.plane.meter import PlaneMeter
from groundswell.bench.report import Row
from groundswell.bench.run import Run


def measure(
    run: Run, *, viewers: int, rate: float, peak: float, rise: float, plane: str
) -> tuple[list[Row], list[Row]]:
    """Run the spike once; return the table's row and the record behind it."""
    rows, details = run.journal.start(legs=1)
    run.journal.begin(f"from {rate:g} to {peak:g} comments/s")
    options = {"peak": f"{peak:g}", "rise": f"{rise:g}"}
    with room.groundswell(run, plane) as server:
        with (
            traffic.watching(
                run.tools, server.port, viewers=viewers, core=run.client_core
            ) as watching,
            room.posting(run, server, rate=rate, seconds=run.seconds, options=options) as (
                writers,
                wait,
            ),
        ):
            meter = PlaneMeter(
                {server.name: server.process},
                {"viewers": watching.process, "writers": writers},
                server_core=run.server_core,
                client_core=run.client_core,
            )
            room.rest(run.seconds)
            columns = meter.columns()
            wrote = wait()
            watching.wait_for(wrote.ok * watching.sampled)
            saw = watching.finish()
        server.process.check()
    due = traffic.offered(rate, run.seconds, peak=peak, rise=rise)
    row: Row = {
        "viewers": saw.connected,
        "comments": due,
        "not 2xx": wrote.other + wrote.lost + wrote.unanswered,
        "201 p99 ms": wrote.latency_ms.p99 if wrote.latency_ms else None,
        "delivered %": 100 * saw.comments / (due * saw.sampled),
        "p50 ms": saw.latency_ms.p50 if saw.latency_ms else None,
        "p99 ms": saw.latency_ms.p99 if saw.latency_ms else None,
        "max ms": saw.latency_ms.max if saw.latency_ms else None,
        "lost viewers": saw.closed,
        "errors": traffic.errors(saw, due=wrote.ok * saw.sampled),
        **columns,
    }
    rows.append(row)
    details.append({**row, "saw": traffic.as_record(saw), "writers": traffic.as_record(wrote)})
    return rows, details
