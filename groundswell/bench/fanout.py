"""Scenario `fanout`: one room with many viewers, beside the bare C loop and peers.

The loop is the limit: what the kernel alone costs. Every server is started afresh for every rate,
and its memory is read before and after the viewers came.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from groundswell.bench import servers as servers_of_bench
from groundswell.bench import targets, traffic
from groundswell.bench.machine import CoreMeter
from groundswell.bench.report import Row, bound
from groundswell.bench.run import Run
from groundswell.bench.servers import Wanted

SERVERS = servers_of_bench.NAMES
SETTLE_TIME = 1.0  # seconds for the last comments to arrive, and for memory to settle


def measure(
    run: Run,
    *,
    viewers: int,
    rates: Sequence[float],
    servers: Sequence[str],
    tick_ms: float,
    plane: str,
) -> tuple[list[Row], list[Row]]:
    """Run all legs; return the table's rows and the records behind them."""
    present = servers_of_bench.present(run, servers)
    rows, details = run.journal.start(legs=len(rates) * len(present))
    for rate in rates:
        wanted = Wanted(plane=plane, rate=rate, seconds=run.seconds, tick_ms=tick_ms)
        for name in present:
            run.journal.begin(f"{name}, {rate:g} comments/s")
            with servers_of_bench.start(run, name, wanted) as server:
                row, detail = measure_server(run, server, viewers=viewers, rate=rate)
            rows.append(row)
            details.append(detail)
    return rows, details


@contextmanager
def _comments(
    run: Run, server: targets.Target, *, rate: float
) -> Iterator[Callable[[], traffic.WritersSaw | None]]:
    """Start the flow of comments; what is yielded waits for its end."""
    if server.name == "limit":

        def wait_made() -> None:
            server.process.read_line(within=run.seconds + traffic.GRACE)

        server.process.write_line("go")
        yield wait_made
        return
    with traffic.writing(
        run.tools,
        server.posts_port or server.port,
        tokens=run.tokens,
        seconds=run.seconds,
        connections=run.writers,
        core=run.client_core,
        rate=rate,
        dialect=server.dialect,
    ) as writers:
        yield lambda: traffic.written(writers, within=run.seconds)


def measure_server(
    run: Run, server: targets.Target, *, viewers: int, rate: float
) -> tuple[Row, Row]:
    """Measure one running server at one rate of comments."""
    rss_before = server.process.rss_bytes()
    with traffic.watching(
        run.tools, server.port, viewers=viewers, core=run.client_core, dialect=server.dialect
    ) as watching:
        time.sleep(SETTLE_TIME)
        rss = (server.process.rss_bytes() - rss_before) / viewers
        at_server = CoreMeter(server.process, core=run.server_core)
        at_client = CoreMeter(watching.process, core=run.client_core)
        with _comments(run, server, rate=rate) as wait_written:
            time.sleep(run.seconds)
            server_use = at_server.use()
            wrote = wait_written()
            client_use = at_client.use(also=wrote.cpu_seconds if wrote else 0.0)
        due = wrote.ok if wrote else traffic.offered(rate, run.seconds)
        watching.wait_for(due * watching.sampled)
        time.sleep(SETTLE_TIME)
        cpu = at_server.cpu_seconds()
        saw = watching.finish()
    server.process.check()
    deliveries = saw.comments * saw.connected / saw.sampled
    row: Row = {
        "server": server.name,
        "comments/s": rate,
        "viewers": saw.connected,
        "delivered %": 100 * saw.comments / (traffic.offered(rate, run.seconds) * saw.sampled),
        "deliveries/s": deliveries / max(run.seconds, saw.active_seconds),
        "p50 ms": saw.latency_ms.p50 if saw.latency_ms else None,
        "p99 ms": saw.latency_ms.p99 if saw.latency_ms else None,
        "CPU us/delivery": 1e6 * cpu / deliveries if deliveries else None,
        "server busy %": server_use.ours,
        "client busy %": client_use.ours,
        "viewers / server %": 100 * saw.cpu_seconds / cpu if cpu else None,
        "others %": max(server_use.others, client_use.others),
        "MB sent": saw.bytes / 1e6,
        "RSS KiB/viewer": rss / 1024,
        "lost viewers": saw.closed,
        "errors": traffic.errors(saw, due=due * saw.sampled),
        "bounded by": bound(server=server_use, client=client_use),
    }
    writers = traffic.as_record(wrote) if wrote else None
    record = {"saw": traffic.as_record(saw), "writers": writers, "settings": dict(server.settings)}
    return row, {**row, **record}
