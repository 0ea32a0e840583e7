"""Scenario `cluster-page`: one page of comments from a broker's memory, Redis and Cassandra.

The same comments each time. *memory*: the broker has the room. *Redis*: a broker that remembers
nothing, with the video's hot page in the cache. *Cassandra*: the same without that page. Every
read also asks Kafka for the log's end and Cassandra for totals, wherever the comments come from.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import orjson
import redis

from groundswell.bench import cluster_ingest, metrics, targets, traffic
from groundswell.bench.cluster import Cluster, ClusterMeter, UsesCpu
from groundswell.bench.keyspace import reading
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process
from groundswell.bench.report import Row
from groundswell.bench.run import Run

COMMENTS = 100  # posted; a hot page holds as many
LIMIT = 50  # comments of the page
STORED_TIME = 120.0  # seconds for persist to have them in Cassandra and Redis
WARM_UP = 1.0  # seconds
PATH = f"{targets.OURS.post_path(targets.VIDEO)}?limit={LIMIT}"
FORGETFUL = {"GROUNDSWELL_ROOM_RESUME_WINDOW": "0"}
SOURCES = ("memory", "Redis", "Cassandra")


def measure(
    run: Run, cluster: Cluster, *, rounds: int, connections: Sequence[int]
) -> tuple[list[Row], list[Row]]:
    """Post the comments, then read them from everywhere; return the rows; they hold everything."""
    run = cluster_ingest.with_tokens_of(run, cluster)
    rows, _ = run.journal.start(legs=1 + rounds * len(SOURCES))
    run.journal.begin("posting the comments")
    with (
        cluster.role("broker", core=run.server_core) as remembering,
        traffic.watching(run.tools, remembering.port, viewers=1, core=run.client_core),
    ):
        _post(run, cluster)
        for number in range(1, rounds + 1):
            _measure_source(run, cluster, remembering, "memory", connections, number, rows)
    for source in SOURCES[1:]:
        if source == "Cassandra":
            _forget_hot_page(cluster)
        for number in range(1, rounds + 1):
            with cluster.role("broker", core=run.server_core, env=FORGETFUL) as broker:
                _measure_source(run, cluster, broker, source, connections, number, rows)
    return rows, []


def _measure_source(
    run: Run,
    cluster: Cluster,
    broker: targets.Target,
    source: str,
    connections: Sequence[int],
    number: int,
    rows: list[Row],
) -> None:
    run.journal.begin(f"{source}, round {number}")
    status, body = metrics.get(broker.port, PATH)
    if status != 200 or len(orjson.loads(body)) != LIMIT:
        raise ToolFailed(f"the page from {source} is not {LIMIT} comments: {status} {body[:200]}")
    for count in connections:
        with _asking(run, broker, count, seconds=WARM_UP) as process:
            traffic.written(process, within=WARM_UP)
        with _asking(run, broker, count, seconds=run.seconds) as process:
            beside: dict[str, UsesCpu] = {"client": process, **cluster.engines}
            meter = ClusterMeter(
                broker, core=run.server_core, beside=beside, beside_core=run.client_core
            )
            time.sleep(run.seconds)
            cpu, columns = meter.cpu_seconds(), meter.columns()
            saw = traffic.written(process, within=run.seconds)
        cost = 1e6 * cpu / max(1.0, saw.per_second * run.seconds)
        rows.append(
            {
                "from": source,
                "connections": count,
                "round": number,
                "pages/s": saw.per_second,
                "not 2xx": saw.other + saw.lost + saw.unanswered,
                "p50 ms": saw.latency_ms.p50 if saw.latency_ms else None,
                "p99 ms": saw.latency_ms.p99 if saw.latency_ms else None,
                "CPU us/page": cost,
                "per s of a full core": 1e6 / cost if cost else None,
                "KB a page": len(body) / 1000,
                **columns,
            }
        )


@contextmanager
def _asking(
    run: Run, broker: targets.Target, connections: int, *, seconds: float
) -> Iterator[Process]:
    with traffic.asking(
        run.tools,
        broker.port,
        path=PATH,
        tokens=run.tokens,
        seconds=seconds,
        connections=connections,
        core=run.client_core,
    ) as process:
        yield process


def _post(run: Run, cluster: Cluster) -> None:
    """Post the comments and wait until persist has them in Cassandra and in Redis."""
    limits_off = cluster_ingest.LIMITS_OFF
    with (
        cluster.role("persist", core=run.client_core),
        cluster.role("ingest", core=run.client_core, env=limits_off) as ingest,
    ):
        posted = 0
        while posted < LIMIT:  # an open loop drops what a busy machine has no time for
            with traffic.writing(
                run.tools,
                ingest.port,
                tokens=run.tokens,
                seconds=1.0,
                connections=16,
                core=run.client_core,
                rate=COMMENTS - posted,
            ) as writers:
                posted += traffic.written(writers, within=1.0).ok
        deadline = time.monotonic() + STORED_TIME
        while not (_stored(cluster) >= posted and _has_hot_page(cluster)):
            if time.monotonic() > deadline:
                raise ToolFailed(
                    f"of {posted} comments {_stored(cluster)} are stored after {STORED_TIME:g} s; "
                    f"their page is {'' if _has_hot_page(cluster) else 'not '}in Redis"
                )
            time.sleep(0.2)


def _stored(cluster: Cluster) -> int:
    with reading(cluster.env) as session:
        return sum(1 for _ in session.execute("SELECT comment_id FROM comments"))


def _has_hot_page(cluster: Cluster) -> bool:
    with redis.Redis.from_url(cluster.env["GROUNDSWELL_REDIS_URL"]) as cache:
        return bool(_hot_page_keys(cluster, cache))


def _forget_hot_page(cluster: Cluster) -> None:
    with redis.Redis.from_url(cluster.env["GROUNDSWELL_REDIS_URL"]) as cache:
        for key in _hot_page_keys(cluster, cache):
            cache.delete(key)


def _hot_page_keys(cluster: Cluster, cache: redis.Redis) -> list[bytes]:
    pattern = f"{cluster.env['GROUNDSWELL_REDIS_PREFIX']}*page:{targets.VIDEO}"
    return list(cache.scan_iter(pattern, count=1000))
