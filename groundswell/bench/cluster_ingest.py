"""Scenario `cluster-ingest`: comments accepted a second over HTTP into Kafka.

One `groundswell ingest` alone on its core, beside a bare aiohttp handler in the same run. Writers,
Kafka and Redis share the other core, so a closed loop may be bounded by them: each server is also
measured in an open loop that this core can carry, where CPU a post says what a core could do.
"""

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from groundswell.bench import targets, tokens, traffic
from groundswell.bench.cluster import Cluster, ClusterMeter, UsesCpu
from groundswell.bench.engines import Engine
from groundswell.bench.process import Process
from groundswell.bench.report import Row
from groundswell.bench.run import Run

WARM_UP = 1.0  # seconds
HIGH = "1000000"
# The limits of a user and an address are asked for every post, and refuse none of them.
LIMITS_ON = {
    "GROUNDSWELL_LIMITS_USER_COMMENTS": HIGH,
    "GROUNDSWELL_LIMITS_USER_COMMENTS_BURST": HIGH,
    "GROUNDSWELL_LIMITS_ADDRESS_COMMENTS": HIGH,
    "GROUNDSWELL_LIMITS_ADDRESS_COMMENTS_BURST": HIGH,
}
LIMITS_OFF = {"GROUNDSWELL_LIMITS_ENABLED": "false"}


@dataclass(frozen=True, slots=True)
class Leg:
    """A server to measure. `keys`: every post has an Idempotency-Key of its own."""

    name: str
    env: dict[str, str] | None  # None: the bare handler
    keys: bool = False


BARE = Leg("bare_post", None)
INGEST = Leg("ingest", LIMITS_OFF)
INGEST_CHECKED = Leg("ingest, limits and keys", LIMITS_ON, keys=True)
LEGS = (BARE, INGEST, INGEST_CHECKED)


def measure(
    run: Run, cluster: Cluster, *, rounds: int, rates: Sequence[float]
) -> tuple[list[Row], list[Row]]:
    """Run all legs in turn, each at all rates (0: closed loop); return rows and their records."""
    run = with_tokens_of(run, cluster)
    rows, details = run.journal.start(legs=rounds * len(LEGS))
    for number in range(1, rounds + 1):
        for leg in LEGS:
            run.journal.begin(f"{leg.name}, round {number}")
            with _start(run, cluster, leg) as server:
                for rate in rates:
                    row, detail = measure_server(run, cluster.engines, server, leg, rate=rate)
                    rows.append({"server": leg.name, "round": number, **row})
                    details.append({"server": leg.name, "round": number, **detail})
    return rows, details


def with_tokens_of(run: Run, cluster: Cluster) -> Run:
    """Return the run with tokens that the cluster's processes believe."""
    path = Path(f"{run.tokens}-{cluster.env['GROUNDSWELL_REDIS_PREFIX'].rstrip(':')}")
    tokens.write_tokens(path, secret=cluster.auth_secret, users=run.writers)
    return replace(run, tokens=path, secret=cluster.auth_secret)


@contextmanager
def _start(run: Run, cluster: Cluster, leg: Leg) -> Iterator[targets.Target]:
    if leg.env is None:
        with targets.peer(leg.name, core=run.server_core) as server:
            yield server
    else:
        with cluster.role("ingest", core=run.server_core, env=leg.env) as server:
            yield server


def measure_server(
    run: Run, engines: Mapping[str, Engine], server: targets.Target, leg: Leg, *, rate: float
) -> tuple[dict[str, object], Row]:
    """Measure a running server once."""
    with _writing(run, server, leg, seconds=WARM_UP, rate=rate) as warming:
        traffic.written(warming, within=WARM_UP)
    with _writing(run, server, leg, seconds=run.seconds, rate=rate) as writers:
        beside: dict[str, UsesCpu] = {"writers": writers}
        if leg.env is not None:
            beside.update(engines)
        meter = ClusterMeter(
            server, core=run.server_core, beside=beside, beside_core=run.client_core
        )
        time.sleep(run.seconds)
        cpu, columns = meter.cpu_seconds(), meter.columns()
        saw = traffic.written(writers, within=run.seconds)
    server.process.check()
    cost = 1e6 * cpu / max(1.0, saw.per_second * run.seconds)
    row: dict[str, object] = {
        "load": f"{rate:,.0f}/s" if rate else f"{run.writers} closed",
        "posts/s": saw.per_second,
        "not 2xx": saw.other + saw.lost + saw.unanswered,
        "p50 ms": saw.latency_ms.p50 if saw.latency_ms else None,
        "p99 ms": saw.latency_ms.p99 if saw.latency_ms else None,
        "CPU us/post": cost,
        "per s of a full core": 1e6 / cost if cost else None,
        **columns,
    }
    return row, {**row, "writers": traffic.as_record(saw)}


@contextmanager
def _writing(
    run: Run, server: targets.Target, leg: Leg, *, seconds: float, rate: float
) -> Iterator[Process]:
    with traffic.writing(
        run.tools,
        server.port,
        tokens=run.tokens,
        seconds=seconds,
        connections=run.writers,
        core=run.client_core,
        rate=rate,
        keys=leg.keys,
    ) as writers:
        yield writers


def ratio(rows: Sequence[Row], leg: str, column: str) -> float:
    """Return a leg's median of a column in the closed loop over the bare handler's."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if str(row["load"]).endswith("closed"):
            values.setdefault(str(row["server"]), []).append(float(str(row[column])))
    return statistics.median(values[leg]) / statistics.median(values[BARE.name])
