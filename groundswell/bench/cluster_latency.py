"""Scenario `cluster-latency`: from the post to the screen, through ingest, Kafka and a broker.

Open loop: a comment's time counts from when it was due to be sent until a viewer has parsed it.
Beside it, in the same run and at the same rate, a record straight into Kafka and out again.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from groundswell.bench import cluster_ingest, traffic
from groundswell.bench.cluster import Cluster, ClusterMeter, UsesCpu
from groundswell.bench.process import Process
from groundswell.bench.report import Row
from groundswell.bench.run import Run

WARM_UP = 2.0  # seconds
SETTLE_TIME = 1.0  # seconds for the last comments to arrive
IDLE = 5.0  # comments a second
# Everybody is shown everything; a comment may wait for others as long as `tick_min` says.
SHOWN = {"GROUNDSWELL_ROOM_DISPLAY_RATE": "0"}


@dataclass(frozen=True, slots=True)
class Leg:
    """A rate of comments for some time; `tick_min` None: the product's default."""

    rate: float
    seconds: float
    tick_min: float | None = None

    @property
    def name(self) -> str:
        """What the table calls it."""
        suffix = "" if self.tick_min is None else f", tick_min {self.tick_min:g}"
        return f"post to screen{suffix}"


def measure(
    run: Run, cluster: Cluster, *, rounds: int, legs: Sequence[Leg], viewers: int
) -> tuple[list[Row], list[Row]]:
    """Run all legs, each after raw Kafka at its rate; return rows and the records behind them."""
    run = cluster_ingest.with_tokens_of(run, cluster)
    rows, details = run.journal.start(legs=rounds * len(legs))
    for number in range(1, rounds + 1):
        rates: set[float] = set()
        for leg in legs:
            run.journal.begin(f"{leg.name} at {leg.rate:g}/s, round {number}")
            if leg.rate not in rates:
                rates.add(leg.rate)
                rows.append({"path": "raw Kafka", "round": number, **_raw(run, cluster, leg)})
            row, detail = _posted(run, cluster, leg, viewers=viewers)
            rows.append({"path": leg.name, "round": number, **row})
            details.append({"path": leg.name, "round": number, **detail})
    return rows, [*rows, *details]


def _raw(run: Run, cluster: Cluster, leg: Leg) -> Row:
    topic = f"{cluster.env['GROUNDSWELL_KAFKA_PREFIX']}raw-{time.monotonic_ns()}"
    argv = [sys.executable, "-m", "groundswell.bench.peers.raw_kafka", "--topic", topic]
    argv += ["--servers", cluster.env["GROUNDSWELL_KAFKA_SERVERS"]]
    argv += ["--rate", f"{leg.rate:g}", "--seconds", f"{leg.seconds:g}"]
    with Process(argv, core=run.server_core) as process:
        saw = orjson.loads(process.read_line(within=2 * leg.seconds + 30))
    return {
        "load": f"{leg.rate:,.0f}/s",
        "arrived %": 100 * saw["came"] / saw["sent"],
        "p50 ms": saw["p50"],
        "p99 ms": saw["p99"],
        "max ms": saw["max"],
        "ingest busy %": None,
        "broker busy %": None,
        "server busy %": 100 * saw["cpu_seconds"] / leg.seconds,
        "beside, %": None,
        "their core %": None,
        "others %": None,
        "bounded by": "",
    }


def _posted(run: Run, cluster: Cluster, leg: Leg, *, viewers: int) -> tuple[Row, Row]:
    env = dict(SHOWN)
    if leg.tick_min is not None:
        env["GROUNDSWELL_ROOM_TICK_MIN"] = f"{leg.tick_min:g}"
    core, other = run.server_core, run.client_core
    with (
        cluster.role("ingest", core=core, env=cluster_ingest.LIMITS_OFF) as ingest,
        cluster.role("broker", core=core, env=env) as broker,
    ):

        def writing(seconds: float) -> traffic.Writing:
            return traffic.writing(
                run.tools,
                ingest.port,
                tokens=run.tokens,
                seconds=seconds,
                connections=run.writers,
                core=other,
                rate=leg.rate,
            )

        with traffic.watching(run.tools, broker.port, viewers=1, core=other), writing(WARM_UP) as w:
            traffic.written(w, within=WARM_UP)
            time.sleep(SETTLE_TIME)
        with (
            traffic.watching(run.tools, broker.port, viewers=viewers, core=other) as watching,
            writing(leg.seconds) as writers,
        ):
            beside: dict[str, UsesCpu] = {"writers": writers, "viewers": watching.process}
            beside.update(cluster.engines)
            meter = ClusterMeter(
                ingest,
                core=core,
                beside=beside,
                beside_core=other,
                along={"broker": broker.process},
            )
            time.sleep(leg.seconds)
            shares, columns = meter.shares(), meter.columns()
            wrote = traffic.written(writers, within=leg.seconds)
            time.sleep(SETTLE_TIME)
            saw = watching.finish()
    due = traffic.offered(leg.rate, leg.seconds)
    row: Row = {
        "load": f"{leg.rate:,.0f}/s",
        "arrived %": 100 * saw.comments / (due * saw.sampled),
        "p50 ms": saw.latency_ms.p50 if saw.latency_ms else None,
        "p99 ms": saw.latency_ms.p99 if saw.latency_ms else None,
        "max ms": saw.latency_ms.max if saw.latency_ms else None,
        "ingest busy %": shares["ingest"],
        "broker busy %": shares["broker"],
        **columns,
    }
    return row, {**row, "saw": traffic.as_record(saw), "writers": traffic.as_record(wrote)}
