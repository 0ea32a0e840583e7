"""Scenario `ingest`: comments accepted a second, beside a bare aiohttp handler.

Both get the same closed-loop writers on the same core in turn (A B A B), so that whatever else
the machine does meets both. Groundswell has one viewer and all its projections running.
"""

import statistics
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field

from groundswell.bench import targets, traffic
from groundswell.bench.machine import CoreMeter
from groundswell.bench.metrics import persist_lag
from groundswell.bench.process import Process
from groundswell.bench.report import Row, bound
from groundswell.bench.run import Run

GROUNDSWELL_ENV = {"GROUNDSWELL_LIMITS_ENABLED": "false"}
WARM_UP = 1.0  # seconds of load before the measurement: imports, caches, first pages of files
DRAIN_TIME = 30.0  # seconds that persist may take to catch up


@dataclass(slots=True)
class LagSeries:
    """How far persist was behind, in records: about once a second under load, then to zero.

    Without an internal port, or where the gauge is not told, the series stays empty.
    """

    internal_port: int | None
    under_load: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    drain_s: float | None = None  # from the last post to no lag; None: not within DRAIN_TIME

    def sample(self) -> None:
        """Read the gauge once, under load."""
        if self.internal_port is not None and (lag := persist_lag(self.internal_port)) is not None:
            self.under_load.append(lag)

    def drain(self) -> None:
        """Wait until there is no lag: what is accepted must also be stored before it counts."""
        start = time.monotonic()
        while self.internal_port is not None and self.under_load:
            elapsed = time.monotonic() - start
            lag = persist_lag(self.internal_port)
            if lag is not None:
                self.after.append(lag)
            if lag == 0:
                self.drain_s = elapsed
            if lag == 0 or elapsed > DRAIN_TIME:
                return
            time.sleep(0.1)

    def columns(self) -> dict[str, object]:
        """Return the columns of the table."""
        return {
            "lag start": self.under_load[0] if self.under_load else None,
            "lag max": max(self.under_load, default=None),
            "lag end": self.under_load[-1] if self.under_load else None,
            "drained s": self.drain_s,
        }


def measure(run: Run, *, rounds: int) -> tuple[list[Row], list[Row]]:
    """Run all legs; return the table's rows and the records behind them."""
    rows, details = run.journal.start(legs=2 * rounds)
    for number in range(1, rounds + 1):
        servers: Sequence[AbstractContextManager[targets.Target]] = (
            targets.peer("bare_post", core=run.server_core),
            targets.groundswell(core=run.server_core, secret=run.secret, env=GROUNDSWELL_ENV),
        )
        for start in servers:
            with start as server:
                run.journal.begin(f"{server.name}, round {number}")
                row, detail = measure_server(run, server)
            rows.append({"server": row.pop("server"), "round": number, **row})
            details.append(detail)
    return rows, details


def measure_server(run: Run, server: targets.Target) -> tuple[dict[str, object], Row]:
    """Measure one running server once."""
    lag = LagSeries(server.internal_port)
    with ExitStack() as stack:
        if server.internal_port is not None:  # the product: with somebody watching
            watching = traffic.watching(run.tools, server.port, viewers=1, core=run.client_core)
            stack.enter_context(watching)
        with _writers(run, server, seconds=WARM_UP) as warming:
            traffic.written(warming, within=WARM_UP)
        lag.sample()
        with _writers(run, server, seconds=run.seconds) as writers:
            at_server = CoreMeter(server.process, core=run.server_core)
            at_client = CoreMeter(writers, core=run.client_core)
            _sample_for(run.seconds, lag)
            server_use, client_use = at_server.use(), at_client.use()
            cpu = at_server.cpu_seconds()
            saw = traffic.written(writers, within=run.seconds)
        lag.sample()
        lag.drain()
        server.process.check()
    row: dict[str, object] = {
        "server": server.name,
        "posts/s": saw.per_second,
        "not 2xx": saw.other + saw.lost + saw.unanswered,
        "p50 ms": saw.latency_ms.p50 if saw.latency_ms else None,
        "p99 ms": saw.latency_ms.p99 if saw.latency_ms else None,
        "CPU us/post": 1e6 * cpu / max(1.0, saw.per_second * run.seconds),
        "server busy %": server_use.ours,
        "client busy %": client_use.ours,
        "others %": max(server_use.others, client_use.others),
        **lag.columns(),
        "bounded by": bound(server=server_use, client=client_use),
    }
    series = {"under_load": lag.under_load, "after": lag.after}
    return row, {**row, "writers": traffic.as_record(saw), "lag": series}


def _sample_for(seconds: float, lag: LagSeries) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(1.0, left))
        if left > 1.0:
            lag.sample()


def _writers(
    run: Run, server: targets.Target, *, seconds: float
) -> AbstractContextManager[Process]:
    return traffic.writing(
        run.tools,
        server.port,
        tokens=run.tokens,
        seconds=seconds,
        connections=run.writers,
        core=run.client_core,
    )


def ratio(rows: Sequence[Row], column: str = "posts/s") -> float:
    """Return Groundswell's median of a column over the bare handler's.

    Of `posts/s` it means little where others used the cores; of `CPU us/post` it still does.
    """
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(str(row["server"]), []).append(float(str(row[column])))
    return statistics.median(values["groundswell"]) / statistics.median(values["bare_post"])
