"""Scenario `cluster-persist`: comments stored a second, beside the driver writing the same rows.

In turn, A B A B: the driver alone writes in batches, then persist works off the log.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from groundswell.bench.cluster import Cluster, ClusterMeter, migrated_cluster
from groundswell.bench.durable_drain import DRAIN_TIME, drain
from groundswell.bench.durable_log import Written, fill_comments
from groundswell.bench.durable_store import StoredRows, stored_rows
from groundswell.bench.journal import Journal
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process
from groundswell.bench.report import Row
from groundswell.bench.targets import START_TIME, Target
from groundswell.config import read
from groundswell.contract.ports.store import Projection
from groundswell.contract.settings import Settings


def settings_of(env: Mapping[str, str]) -> Settings:
    """Return the settings that a process with these variables has."""
    return read(file=None, environ=env, flags={}).settings


def measure(
    journal: Journal,
    *,
    comments: int,
    videos: int,
    rounds: int,
    core: int | None,
    engines_core: int | None,
) -> list[Row]:
    """Run all legs, each round in a namespace of its own; return the table's rows.

    Raises:
        ToolFailed: something did not do its work, or rows are missing afterwards.
    """
    rows, _ = journal.start(legs=rounds)
    for number in range(1, rounds + 1):
        journal.begin(f"round {number}")
        with migrated_cluster() as cluster:
            settings = settings_of(cluster.env)
            filled, written = fill_comments(settings, comments=comments, videos=videos)
            with stored_rows(cluster.env) as stored:
                driver = _driver(cluster, settings, written, core=core, engines_core=engines_core)
                rows.append({"writer": "driver", "round": number, **driver})
                drained = drain(
                    cluster,
                    stored,
                    filled,
                    projection=Projection.COMMENTS,
                    core=core,
                    engines_core=engines_core,
                )
                _check(stored, written, generation=filled.generation)
        figures = _figures(comments, drained.seconds, drained.per(comments), drained.columns)
        rows.append({"writer": "persist", "round": number, **figures})
    return rows


def _figures(
    count: int, seconds: float, cost: Mapping[str, object], columns: Mapping[str, object]
) -> dict[str, object]:
    own = float(str(cost["persist us"]))
    return {
        "rows/s": count / seconds,
        "CPU us/row": own,
        "rows/s of a full core": 1e6 / own,
        "kafka us": cost["kafka us"],
        "cassandra us": cost["cassandra us"],
        **columns,
    }


def _driver(
    cluster: Cluster,
    settings: Settings,
    written: list[Written],
    *,
    core: int | None,
    engines_core: int | None,
) -> dict[str, object]:
    """Measure the driver once."""
    engines = {name: cluster.engines[name] for name in ("kafka", "cassandra")}
    with tempfile.NamedTemporaryFile(prefix="groundswell-bench-") as file:
        file.write(msgspec.msgpack.encode(written))
        file.flush()
        argv = [sys.executable, "-m", "groundswell.bench.peers.driver_rows", "--rows", file.name]
        argv += ["--host", settings.cassandra.hosts[0], "--port", str(settings.cassandra.port)]
        argv += ["--keyspace", settings.cassandra.keyspace]
        with Process([Path(argv[0]), *argv[1:]], core=core) as process:
            process.read_line(within=START_TIME)
            target = Target("driver", process, 0)
            meter = ClusterMeter(target, core=core, beside=engines, beside_core=engines_core)
            before = {name: engine.cpu_seconds() for name, engine in engines.items()}
            process.write_line("go")
            seconds = float(process.read_line(within=DRAIN_TIME))
            used = {"persist": meter.cpu_seconds()}
            used |= {name: engine.cpu_seconds() - before[name] for name, engine in engines.items()}
            columns = meter.columns()
    cost: dict[str, object] = {f"{name} us": 1e6 * n / len(written) for name, n in used.items()}
    return _figures(len(written), seconds, cost, columns)


def _check(stored: StoredRows, written: list[Written], *, generation: int) -> None:
    """Compare the rows with what was put into the log.

    Raises:
        ToolFailed: they differ.
    """
    found = [
        (bucket[0], offset, comment_id)
        for bucket, rows in stored.comments().items()
        if bucket[1] == generation
        for offset, comment_id in rows
    ]
    if sorted(found) != sorted((w.video_id, w.offset, w.comment_id) for w in written):
        raise ToolFailed(f"of {len(written)} comments in the log {len(found)} rows are stored")
