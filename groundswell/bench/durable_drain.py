"""Measuring one projection: a persist process alone on a core works off what is in the log."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundswell.bench.cluster import Cluster, ClusterMeter
from groundswell.bench.durable_log import Filled
from groundswell.bench.durable_store import StoredRows
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process
from groundswell.contract.ports.store import Projection

DRAIN_TIME = 300.0  # seconds
_STEP = 0.01  # seconds, of the watch for the first work
_WORK = 0.03  # seconds of CPU after which it has begun, wherever it gets its time from


@dataclass(frozen=True, slots=True)
class Drained:
    """What it took to work off the log."""

    seconds: float  # from the first work to the last applied offset
    cpu_seconds: Mapping[str, float]  # persist, kafka, cassandra: in that time
    columns: Mapping[str, object]  # of the table

    def per(self, count: int) -> dict[str, object]:
        """Return microseconds of CPU for each of `count`, by process, as columns."""
        return {f"{name} us": 1e6 * used / count for name, used in self.cpu_seconds.items()}


def drain(
    cluster: Cluster,
    rows: StoredRows,
    filled: Filled,
    *,
    projection: Projection,
    core: int | None,
    engines_core: int | None,
) -> Drained:
    """Start persist, and wait until it has applied everything.

    Raises:
        ToolFailed: it did not within `DRAIN_TIME`.
    """
    engines: dict[str, Any] = {name: cluster.engines[name] for name in ("kafka", "cassandra")}
    wanted = sum(filled.ends.values())
    env = {"GROUNDSWELL_PERSIST_PROJECTIONS": projection.value}
    with cluster.role("persist", core=core, env=env) as persist:
        # Its CPU counts from here on, so joining its group does, too.
        meter = ClusterMeter(persist, core=core, beside=engines, beside_core=engines_core)
        _wait_work(persist.process)
        began = time.monotonic()
        before = {name: engine.cpu_seconds() for name, engine in engines.items()}
        while rows.applied(projection, len(filled.ends), generation=filled.generation) < wanted:
            persist.process.check()
            if time.monotonic() - began > DRAIN_TIME:
                raise ToolFailed(f"persist did not apply everything within {DRAIN_TIME:g} s")
            time.sleep(0.1)
        seconds = time.monotonic() - began
        used = {"persist": meter.cpu_seconds()}
        used |= {name: engine.cpu_seconds() - before[name] for name, engine in engines.items()}
        return Drained(seconds, used, meter.columns())


def _wait_work(process: Process) -> None:
    """Return when it has begun: it is ready before it has joined its group."""
    deadline = time.monotonic() + DRAIN_TIME
    before = process.cpu_seconds()
    while process.cpu_seconds() - before < _WORK:
        process.check()
        if time.monotonic() > deadline:
            raise ToolFailed("persist did not begin to work")
        time.sleep(_STEP)
