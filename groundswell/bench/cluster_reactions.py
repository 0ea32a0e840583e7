"""Scenario `cluster-reactions`: reactions a second over sockets, through a broker into Kafka.

Each reaction is a WebSocket message of its own, of another user and to another comment than those
around it, through the whole gate in the broker's process. Only answered ones count. When all is
measured, persist counts the log into Cassandra, and the totals there must be the answers'.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from groundswell.bench import reacting, tokens
from groundswell.bench.cluster import Cluster, ClusterMeter, UsesCpu
from groundswell.bench.report import Row
from groundswell.bench.run import Run
from groundswell.bench.stored_totals import verdict, wait_totals
from groundswell.bench.targets import Target

COMMENTS = 10_000  # that are reacted to; also the most reactions of one user
TOTALS_TIME = 180.0  # seconds for persist to count everything
HIGH = "1000000"
# The limits of user and address are asked for each reaction, and refuse none.
GATE = {
    "GROUNDSWELL_LIMITS_USER_REACTIONS": HIGH,
    "GROUNDSWELL_LIMITS_USER_REACTIONS_BURST": HIGH,
    "GROUNDSWELL_LIMITS_ADDRESS_REACTIONS": HIGH,
    "GROUNDSWELL_LIMITS_ADDRESS_REACTIONS_BURST": HIGH,
}
# A cache in memory is for one process with every role: here with a projection of nothing.
ALL_ROLES = {
    "GROUNDSWELL_CACHE_ENGINE": "memory",
    "GROUNDSWELL_PERSIST_PROJECTIONS": "comments",
}
CACHES = ("memory", "redis")


@dataclass(frozen=True, slots=True)
class Load:
    """Open loop at `rate` reactions a second, or 0: closed, with `window` unanswered a socket."""

    rate: float
    window: int = 1

    def __str__(self) -> str:
        return f"{self.rate:,.0f}/s" if self.rate else f"{self.window} a socket, closed"


def measure(
    run: Run, cluster: Cluster, *, rounds: int, sockets: int, loads: Sequence[Load]
) -> tuple[list[Row], list[Row]]:
    """Run all legs, then compare totals; return the table's rows and the records behind them."""
    rows, details = run.journal.start(legs=rounds * len(CACHES) * len(loads))
    due: list[Counter[tuple[str, int]]] = []
    unknown: list[int] = []  # sent and not acknowledged
    users = run.tokens.with_name("reacting-tokens")
    tokens.write_tokens(users, secret=cluster.auth_secret, users=sockets)
    for number in range(1, rounds + 1):
        for cache in CACHES:
            with _broker(run, cluster, cache) as broker:
                for load in loads:
                    run.journal.begin(f"{cache}, {load}, round {number}")
                    video = f"bench-{len(rows)}"
                    comments = reacting.write_comments(
                        run.tokens.with_name(video),
                        video,
                        secret=cluster.ids_secret,
                        count=COMMENTS,
                    )
                    row, saw = _measure_one(
                        run, cluster, broker, users, comments, video, sockets=sockets, load=load
                    )
                    rows.append({"cache": cache, "round": number, **row})
                    details.append({**rows[-1], "saw": reacting.as_record(saw)})
                    due.append(reacting.read_tally(_tally_of(comments)))
                    unknown.append(saw.unanswered + saw.refused)
    with cluster.role("persist", core=None):
        stored = wait_totals(cluster, sum(due, Counter()), within=TOTALS_TIME)
    rows[:] = [
        {**row, "totals": verdict(stored, wanted, unanswered=n)}
        for row, wanted, n in zip(rows, due, unknown, strict=True)
    ]
    return rows, details


@contextmanager
def _broker(run: Run, cluster: Cluster, cache: str) -> Iterator[Target]:
    role, env = ("broker", GATE) if cache == "redis" else ("serve", {**GATE, **ALL_ROLES})
    with cluster.role(role, core=run.server_core, env=env) as broker:
        yield broker


def _tally_of(comments: Path) -> Path:
    return comments.with_suffix(".tally")


def _measure_one(
    run: Run,
    cluster: Cluster,
    broker: Target,
    users: Path,
    comments: Path,
    video: str,
    *,
    sockets: int,
    load: Load,
) -> tuple[Mapping[str, object], reacting.ReactorsSaw]:
    with reacting.reactors(
        run.tools,
        broker.port,
        video=video,
        tokens=users,
        comments=comments,
        tally=_tally_of(comments),
        sockets=sockets,
        rate=load.rate,
        window=load.window,
        seconds=run.seconds,
        core=run.client_core,
    ) as process:
        beside: dict[str, UsesCpu] = {"reactors": process, **cluster.engines}
        reacting.wait_warm(process)
        meter = ClusterMeter(
            broker, core=run.server_core, beside=beside, beside_core=run.client_core
        )
        reacting.sleep(run.seconds)
        cpu, columns = meter.cpu_seconds(), meter.columns()
        saw = reacting.reacted(process)
    broker.process.check()
    cost = 1e6 * cpu / max(1.0, saw.per_second * run.seconds)
    row = {
        "load": str(load),
        "sockets": saw.sockets - saw.closed,
        "reactions/s": saw.per_second,
        "not answered": saw.refused + saw.unanswered + saw.skipped,
        "p50 ms": saw.latency_ms.p50 if saw.latency_ms else None,
        "p99 ms": saw.latency_ms.p99 if saw.latency_ms else None,
        "CPU us/reaction": cost,
        "per s of a full core": 1e6 / cost,
        "totals": None,
        **columns,
    }
    return row, saw
