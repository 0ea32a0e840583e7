"""Roles on real engines, each alone in a namespace that goes with it; meters of both cores."""

import asyncio
import sys
import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from click.testing import CliRunner

from groundswell.bench import cluster_ingest, cluster_latency, cluster_page, cluster_reactions
from groundswell.bench.cluster import ClusterMeter, migrated_cluster
from groundswell.bench.command import bench
from groundswell.bench.engines import engines_of_environment
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process
from groundswell.bench.stored_totals import Totals, verdict
from groundswell.bench.targets import Target

BUSY = "print('ready', flush=True)\nwhile True: sum(range(1000))"


@pytest.fixture(scope="module")
def cluster():
    """A namespace in the engines of the environment."""
    try:
        engines_of_environment()
    except ToolFailed as error:
        pytest.skip(str(error))
    with migrated_cluster(partitions=4) as cluster:
        yield cluster


def test_a_meter_names_everybody_with_core_and_cpu():
    """Two servers share a core; the client's column says where it ran."""
    argv = [sys.executable, "-c", BUSY]
    with Process(argv) as one, Process(argv) as other, Process(argv) as client:
        for process in (one, other, client):
            assert process.read_line(within=20) == "ready"
        meter = ClusterMeter(
            Target("ingest", one, 0),
            core=0,
            beside={"writers": client},
            beside_core=1,
            along={"broker": other},
        )
        deadline = time.monotonic() + 20
        while min(meter.shares().values()) <= 0 or " 0" in str(meter.columns()["beside, %"]):
            assert time.monotonic() < deadline, "somebody's time is not counted"
            time.sleep(0.02)
        shares, columns = meter.shares(), meter.columns()
    assert shares.keys() == {"ingest", "broker"}
    assert columns["server busy %"] == pytest.approx(sum(shares.values()), rel=0.3)
    assert str(columns["beside, %"]).startswith("writers@")


def test_totals_are_exact_or_wrong_and_what_was_unanswered_may_be_in():
    """Comments of other legs do not count."""
    wanted = Totals({("a", 1): 2, ("b", 6): 1})
    stored = wanted + Totals({("c", 1): 9})
    assert verdict(stored, wanted, unanswered=0) == "exact"
    assert (
        verdict(stored + Totals({("a", 2): 1}), wanted, unanswered=1) == "exact, and 1 unanswered"
    )
    assert verdict(stored + Totals({("a", 2): 1}), wanted, unanswered=0).startswith("WRONG")
    assert verdict(Totals({("a", 1): 3}), wanted, unanswered=5).startswith("WRONG: 1 missing")


def test_without_engines_a_scenario_says_what_to_do(monkeypatch):
    """One line, no traceback."""
    monkeypatch.delenv("GROUNDSWELL_KAFKA_SERVERS", raising=False)
    done = CliRunner().invoke(bench, ["cluster-ingest", "--seconds", "0.1"])
    assert done.exit_code == 1
    assert "GROUNDSWELL_KAFKA_SERVERS" in done.output
    assert "make stack" in done.output


@pytest.mark.stack
def test_posts_are_counted_beside_the_bare_handler(run, cluster, monkeypatch):
    """Each leg is answered 2xx only, with limits and keys too."""
    monkeypatch.setattr(cluster_ingest, "WARM_UP", 0.1)
    rows, details = cluster_ingest.measure(run, cluster, rounds=1, rates=(0,))
    assert [row["server"] for row in rows] == ["bare_post", "ingest", "ingest, limits and keys"]
    assert all(row["posts/s"] > 0 for row in rows)
    assert [set(one["writers"]["statuses"]) for one in details] == [{"201"}] * 3
    assert cluster_ingest.ratio(rows, "ingest", "posts/s") > 0


@pytest.mark.stack
def test_totals_in_cassandra_are_the_reactions_that_were_answered(run, cluster):
    """Through a broker and persist, with either cache."""
    load = cluster_reactions.Load(100)
    rows, _ = cluster_reactions.measure(run, cluster, rounds=1, sockets=20, loads=[load])
    assert [row["cache"] for row in rows] == ["memory", "redis"]
    assert all(str(row["totals"]).startswith("exact") for row in rows)
    assert all(row["reactions/s"] > 0 for row in rows)


@pytest.mark.stack
def test_posts_reach_the_screen_and_raw_records_their_consumer(run, cluster, monkeypatch):
    """Everything arrives, and latencies are told."""
    monkeypatch.setattr(cluster_latency, "WARM_UP", 0.2)
    legs = [cluster_latency.Leg(20, 0.5)]
    rows, _ = cluster_latency.measure(run, cluster, rounds=1, legs=legs, viewers=2)
    assert [row["path"] for row in rows] == ["raw Kafka", "post to screen"]
    assert [row["arrived %"] for row in rows] == [100, 100]
    assert all(0 < row["p50 ms"] <= row["p99 ms"] for row in rows)


@pytest.mark.stack
def test_a_page_comes_from_memory_redis_and_cassandra(run, cluster, monkeypatch):
    """Each source is asked for the same 50 comments."""
    monkeypatch.setattr(cluster_page, "WARM_UP", 0.1)
    rows, _ = cluster_page.measure(run, cluster, rounds=1, connections=[2])
    assert [row["from"] for row in rows] == ["memory", "Redis", "Cassandra"]
    assert all(row["pages/s"] > 0 and row["not 2xx"] == 0 for row in rows)


@pytest.mark.stack
def test_nothing_of_a_run_is_left(cluster):
    """Topics go with the namespace; the module's own still stand."""

    async def topics(prefix: str) -> list[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=cluster.env["GROUNDSWELL_KAFKA_SERVERS"])
        await admin.start()
        try:
            return [topic for topic in await admin.list_topics() if topic.startswith(prefix)]
        finally:
            await admin.close()

    with migrated_cluster(partitions=1) as other:
        prefix = other.env["GROUNDSWELL_KAFKA_PREFIX"]
        assert len(asyncio.run(topics(prefix))) == 5
    assert asyncio.run(topics(prefix)) == []
    assert asyncio.run(topics(cluster.env["GROUNDSWELL_KAFKA_PREFIX"]))
