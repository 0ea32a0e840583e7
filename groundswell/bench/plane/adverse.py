"""Scenario `adverse`: what viewers who read slowly, never, or flap do to all the others.

The same room each time: its viewers alone, then beside others of one kind. The figures are those of
the viewers who read; whom the server dismisses for not reading is no loss.
"""

from contextlib import ExitStack

from groundswell.bench import traffic
from groundswell.bench.plane import room
from groundswell.bench.plane.meter import PlaneMeter
from groundswell.bench.report import Row
from groundswell.bench.run import Run
from groundswell.bench.targets import Target

# By the name of a leg: further options of `viewers.c` for those beside.
KINDS: dict[str, dict[str, object]] = {
    "nobody": {},
    "slow": {"manner": "slow"},
    "deaf": {"manner": "deaf"},
    "flapping": {"manner": "flap"},
    "SSE": {"events": "yes"},
}


def measure(
    run: Run, *, viewers: int, others: int, rate: float, plane: str
) -> tuple[list[Row], list[Row]]:
    """Measure each leg on a fresh server; return the table's rows and the records behind them."""
    rows, details = run.journal.start(legs=len(KINDS))
    for kind in KINDS:
        run.journal.begin(f"beside {others:,} {kind}" if KINDS[kind] else "alone")
        with room.groundswell(run, plane) as server:
            row, detail = _leg(run, server, kind, viewers=viewers, others=others, rate=rate)
        rows.append(row)
        details.append(detail)
    return rows, details


def _leg(
    run: Run, server: Target, kind: str, *, viewers: int, others: int, rate: float
) -> tuple[Row, Row]:
    options = KINDS[kind]
    with ExitStack() as stack:
        watching = stack.enter_context(
            traffic.watching(run.tools, server.port, viewers=viewers, core=run.client_core)
        )
        beside = None
        if options:
            beside = stack.enter_context(
                traffic.watching(
                    run.tools, server.port, viewers=others, core=run.client_core, options=options
                )
            )
        room.rest()
        before = server.process.rss_bytes()
        writers, wait = stack.enter_context(
            room.posting(run, server, rate=rate, seconds=run.seconds)
        )
        clients = {"viewers": watching.process, "writers": writers}
        if beside:
            clients[kind] = beside.process
        meter = PlaneMeter(
            {server.name: server.process},
            clients,
            server_core=run.server_core,
            client_core=run.client_core,
        )
        room.rest(run.seconds)
        cpu, columns = meter.server_seconds(), meter.columns()
        wrote = wait()
        for one in filter(None, (watching, beside)):
            if options.get("events") or one is watching:
                one.wait_for(wrote.ok * one.sampled)
        room.rest()
        grown = server.process.rss_bytes() - before
        saw = watching.finish()
        saw_beside = beside.finish() if beside else None
    server.process.check()
    due = traffic.offered(rate, run.seconds)
    row: Row = {
        "beside them": f"{others} {kind}" if options else kind,
        "viewers": saw.connected,
        "delivered %": 100 * saw.comments / (due * saw.sampled),
        "p50 ms": saw.latency_ms.p50 if saw.latency_ms else None,
        "p99 ms": saw.latency_ms.p99 if saw.latency_ms else None,
        "server CPU %": 100 * cpu / run.seconds,
        "RSS grew MB": grown / 1e6,
        "lost viewers": saw.closed,
        "errors": traffic.errors(saw, due=wrote.ok * saw.sampled),
        "closed of the others": saw_beside.closed if saw_beside else None,
        "SSE errors": (
            traffic.errors(saw_beside, due=wrote.ok * saw_beside.sampled)
            if saw_beside and saw_beside.sampled
            else None
        ),
        "cuts": saw_beside.cuts if saw_beside else None,
        **columns,
    }
    detail: dict[str, object] = {**row, "saw": traffic.as_record(saw)}
    detail["others"] = traffic.as_record(saw_beside) if saw_beside else None
    return row, detail
