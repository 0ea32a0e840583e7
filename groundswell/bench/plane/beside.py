"""Scenario `beside`: a small room in the same process as a large one under load.

The small room's latency is measured alone, then with the large one beside it.
"""

from collections.abc import Mapping
from contextlib import ExitStack

from groundswell.bench import traffic
from groundswell.bench.cluster import UsesCpu
from groundswell.bench.plane import room
from groundswell.bench.plane.meter import PlaneMeter
from groundswell.bench.report import Row
from groundswell.bench.run import Run
from groundswell.bench.targets import Target

SMALL, LARGE = "small", "large"
SMALL_RATE = 10.0  # comments a second


def measure(
    run: Run, *, small: int, large: int, rate: float, plane: str
) -> tuple[list[Row], list[Row]]:
    """Measure both legs in one server; return the table's rows and the records behind them.

    `small` and `large` are viewers, `rate` the comments a second of the large room.
    """
    rows, details = run.journal.start(legs=2)
    with room.groundswell(run, plane) as server:
        for viewers in (0, large):
            run.journal.begin(f"beside {viewers:,} viewers" if viewers else "alone")
            row, detail = _leg(run, server, small=small, large=viewers, rate=rate)
            rows.append(row)
            details.append(detail)
    return rows, details


def _leg(run: Run, server: Target, *, small: int, large: int, rate: float) -> tuple[Row, Row]:
    with ExitStack() as stack:
        watching = stack.enter_context(
            traffic.watching(
                run.tools,
                server.port,
                viewers=small,
                core=run.client_core,
                sampled=small,
                video=SMALL,
            )
        )
        clients: dict[str, UsesCpu] = {"viewers of small": watching.process}
        crowd = None
        if large:
            crowd = stack.enter_context(
                traffic.watching(
                    run.tools, server.port, viewers=large, core=run.client_core, video=LARGE
                )
            )
            clients["viewers of large"] = crowd.process
        room.rest()
        posts = {SMALL: SMALL_RATE, **({LARGE: rate} if large else {})}
        started = {
            video: stack.enter_context(
                room.posting(run, server, rate=each, seconds=run.seconds, video=video)
            )
            for video, each in posts.items()
        }
        clients |= {f"writers of {video}": process for video, (process, _) in started.items()}
        meter = _meter(run, server, clients)
        room.rest(run.seconds)
        columns = meter.columns()
        wrote = {video: wait() for video, (_, wait) in started.items()}
        room.rest()
        saw = watching.finish()
        saw_large = crowd.finish() if crowd else None
    server.process.check()
    due = traffic.offered(SMALL_RATE, run.seconds) * saw.sampled
    row: Row = {
        "small room": "beside the large one" if large else "alone",
        "viewers": saw.connected,
        "viewers of large": saw_large.connected if saw_large else 0,
        "delivered %": 100 * saw.comments / due,
        "p50 ms": saw.latency_ms.p50 if saw.latency_ms else None,
        "p99 ms": saw.latency_ms.p99 if saw.latency_ms else None,
        "large comments/s": rate if large else None,
        "large p99 ms": saw_large.latency_ms.p99 if saw_large and saw_large.latency_ms else None,
        "lost viewers": saw.closed + (saw_large.closed if saw_large else 0),
        **columns,
    }
    detail: dict[str, object] = {**row, "saw": traffic.as_record(saw)}
    detail["large"] = traffic.as_record(saw_large) if saw_large else None
    detail["writers"] = {video: traffic.as_record(one) for video, one in wrote.items()}
    return row, detail


def _meter(run: Run, server: Target, clients: Mapping[str, UsesCpu]) -> PlaneMeter:
    return PlaneMeter(
        {server.name: server.process},
        clients,
        server_core=run.server_core,
        client_core=run.client_core,
    )
