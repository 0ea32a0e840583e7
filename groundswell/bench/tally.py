"""Scenario `cluster-tally`: reactions counted a second, alone and into Cassandra.

The fold alone, then a persist process that works off the log into an empty store, then another one
that finds the rows of the first there and has to read them. At the end the totals and the rows in
Cassandra are compared with a model.
"""

import sys
import time
from pathlib import Path

import msgspec

from groundswell.bench.cluster import migrated_cluster
from groundswell.bench.durable import settings_of
from groundswell.bench.durable_drain import Drained, drain
from groundswell.bench.durable_log import fill_reactions
from groundswell.bench.durable_store import ReactionCounts, StoredRows, stored_rows
from groundswell.bench.journal import Journal
from groundswell.bench.process import Process
from groundswell.bench.report import Row
from groundswell.bench.tally_fold import Folded
from groundswell.bench.tally_load import new_crowd
from groundswell.contract.ports.store import Projection

FOLD_TIME = 120.0  # seconds
MUST_BE_ZERO = ("comments whose totals differ", "comments whose rows differ")


def measure(
    journal: Journal, *, reactions: int, seed: int, core: int | None, engines_core: int | None
) -> tuple[list[Row], dict[str, int]]:
    """Run all legs; return the table's rows, and how store and model differ at the end.

    Raises:
        ToolFailed: something did not do its work.
    """
    rows, _ = journal.start(legs=3)
    journal.begin("fold alone")
    rows.append(fold_alone(reactions, core=core))
    with migrated_cluster() as cluster:
        settings = settings_of(cluster.env)
        crowd = new_crowd(
            ids_secret=settings.ids.secret.encode(),
            seed=seed,
            now_ms=time.time_ns() // 1_000_000,
        )
        with stored_rows(cluster.env) as stored:
            for leg in ("empty store", "rows in the store"):
                journal.begin(leg)
                records = crowd.records(reactions, partitions=settings.kafka.partitions)
                filled = fill_reactions(settings, records)
                drained = drain(
                    cluster,
                    stored,
                    filled,
                    projection=Projection.TALLY,
                    core=core,
                    engines_core=engines_core,
                )
                rows.append({"leg": leg, **_figures(reactions, drained)})
            found = compare(stored, crowd.counts())
    return rows, found


def compare(stored: StoredRows, model: ReactionCounts) -> dict[str, int]:
    """Return what the store has beside what it must have."""
    rows, partitions = stored.reactions()
    totals = stored.totals()
    return {
        "comments": len(model),
        "reactions that stand": sum(counts.total() for counts in model.values()),
        "rows that stand": sum(counts.total() for counts in rows.values()),
        "comments whose totals differ": _differ(totals, model),
        "comments whose rows differ": _differ(rows, model),
        "partitions": len(partitions),
        "biggest partition, rows": max(partitions.values(), default=0),
    }


def _differ(found: ReactionCounts, model: ReactionCounts) -> int:
    return sum(found.get(key) != model.get(key) for key in found.keys() | model.keys())


def _figures(reactions: int, drained: Drained) -> dict[str, object]:
    cost = drained.per(reactions)
    own = float(str(cost["persist us"]))
    return {
        "reactions/s": reactions / drained.seconds,
        "CPU us/reaction": own,
        "reactions/s of a full core": 1e6 / own,
        "kafka us": cost["kafka us"],
        "cassandra us": cost["cassandra us"],
        **drained.columns,
    }


def fold_alone(reactions: int, *, core: int | None) -> Row:
    """Measure the fold of so many reactions without engines; return a row of the table."""
    argv = [sys.executable, "-m", "groundswell.bench.tally_fold", str(reactions)]
    with Process([Path(argv[0]), *argv[1:]], core=core) as process:
        line = process.read_line(within=FOLD_TIME)
    folded = msgspec.json.decode(line, type=Folded)
    own = 1e6 * folded.cpu_seconds / folded.reactions
    return {
        "leg": "fold alone",
        "reactions/s": None,
        "CPU us/reaction": own,
        "reactions/s of a full core": 1e6 / own,
        "kafka us": None,
        "cassandra us": None,
        "server busy %": None,
        "beside, %": "",
        "their core %": None,
        "others %": None,
        "bounded by": "",
    }
