"""Scenario `event`: a broadcast at one hundredth of its size, through split roles.

Two ingest, two brokers and two persist processes on all cores, viewers of two videos on both
brokers. In the middle the second video goes from 1 to 2,000 comments a second; before that a
persist process is stopped, after it started again. Then everything is compared: see `event_check`.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from groundswell.bench.cluster import Cluster, UsesCpu, migrated_cluster
from groundswell.bench.durable import settings_of
from groundswell.bench.durable_store import StoredRows, stored_rows
from groundswell.bench.event_check import (
    Findings,
    check_comments,
    check_reactions,
    check_reading,
)
from groundswell.bench.event_crowd import ANSWER_S, GOAL, MAIN, Outcome, Plan
from groundswell.bench.event_lag import LagWatch
from groundswell.bench.native_tools import Tools
from groundswell.bench.process import Process
from groundswell.bench.targets import START_TIME, Target
from groundswell.bench.traffic import CONNECT_TIME, GRACE, Viewers, ViewersSaw

ENV = {
    "GROUNDSWELL_LIMITS_ENABLED": "false",  # all load comes from one address
    "GROUNDSWELL_ROOM_DISPLAY_RATE": "0",  # every viewer gets every comment
}
STOP_AT, START_AT = 0.35, 0.7  # of the time, when one persist process is away
SPIKE_AT = 0.5
LATE_S = 120.0  # that the crowd may be behind, where the machine has no time for it
DRAIN_TIME = 120.0  # seconds
SAMPLED = 50  # viewers of a broker and video whose frames are parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the event is. Rates are per second."""

    seconds: float
    comments: float = 167.0
    reactions: float = 1667.0
    quiet: float = 1.0
    spike: float = 2000.0
    spike_seconds: float = 5.0
    viewers: int = 50  # of each video on each broker
    users: int = 20_000
    bucket_bits: int = 10
    seed: int = 1

    def plan(self, ports: list[int], secret: str) -> Plan:
        """Return what the crowd is told."""
        return Plan(
            ports=ports,
            secret=secret,
            seconds=self.seconds,
            comments=self.comments,
            reactions=self.reactions,
            quiet=self.quiet,
            spike=self.spike,
            spike_at=SPIKE_AT * self.seconds,
            spike_seconds=self.spike_seconds,
            users=self.users,
            seed=self.seed,
        )


def run(tools: Tools, size: Size) -> tuple[Findings, list[dict[str, object]]]:
    """Let the event happen; return the findings, and the CPU of each process as rows.

    Raises:
        ToolFailed: something did not start or ended early.
    """
    with migrated_cluster() as cluster, ExitStack() as stack:
        env = {**ENV, "GROUNDSWELL_CASSANDRA_BUCKET_BITS": str(size.bucket_bits)}
        started = {
            name: stack.enter_context(cluster.role(name.partition("-")[0], core=None, env=env))
            for name in ("ingest-1", "ingest-2", "broker-1", "broker-2", "persist-1")
        }
        settings = settings_of({**cluster.env, **env})
        stored = stack.enter_context(stored_rows(cluster.env))
        event = _Event(cluster, env, started, LagWatch(settings, stored), size)
        findings = Findings()
        outcome = asyncio.run(event.happen(tools, findings))
        order = _check_stored(findings, stored, outcome, size, event)
        with cluster.role("broker", core=None, env=env) as fresh:
            model = check_reactions(findings, stored, outcome)
            check_reading(findings, fresh.port, order, model, doubtful=outcome.doubtful)
        return findings, event.cpu


def _check_stored(
    findings: Findings, stored: StoredRows, outcome: Outcome, size: Size, event: "_Event"
) -> dict[str, list[str]]:
    findings.figures["answers"] = ", ".join(f"{k}: {n:,}" for k, n in outcome.statuses.items())
    order = check_comments(findings, stored, outcome, bucket_rows=1 << size.bucket_bits)
    for name, quantile in (("p50", 0.5), ("p99", 0.99)):
        at = min(len(outcome.ack_ms) - 1, int(quantile * len(outcome.ack_ms)))
        findings.figures[f"201 {name} ms"] = outcome.ack_ms[at]
    for (broker, video), saw in event.saw.items():
        name = f"{broker}, {video}"
        if saw.latency_ms is not None:
            latency = saw.latency_ms
            findings.figures[f"delivery {name}: p50, p99 ms"] = (
                f"{latency.p50:.4g}, {latency.p99:.4g}"
            )
        findings.must_be_zero(f"viewers lost, {name}", saw.closed + saw.errors)
        findings.figures[f"viewers that had to skip, {name}"] = saw.welcomes - saw.sampled
        if saw.welcomes == saw.sampled:
            due = saw.sampled * len(order.get(video, ()))
            findings.must_be_zero(f"not delivered, {name}", due - saw.comments)
    return order


class _Event:
    """From the first viewer to the last applied record."""

    def __init__(
        self,
        cluster: Cluster,
        env: Mapping[str, str],
        started: Mapping[str, Target],
        lag: LagWatch,
        size: Size,
    ) -> None:
        self._cluster = cluster
        self._env = env
        self._started = started
        self._lag = lag
        self._size = size
        self.saw: dict[tuple[str, str], ViewersSaw] = {}
        self.cpu: list[dict[str, object]] = []

    async def happen(self, tools: Tools, findings: Findings) -> Outcome:
        """Run the timeline; return what the crowd was told."""
        size, started = self._size, self._started
        await self._lag.start()
        with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="groundswell-bench-") as at:
            second = stack.enter_context(ExitStack())
            persist = await asyncio.to_thread(self._start_persist, second)
            viewers = {
                (broker, video): stack.enter_context(
                    _watching(tools, started[broker].port, video, size)
                )
                for broker in ("broker-1", "broker-2")
                for video in (MAIN, GOAL)
            }
            crowd = stack.enter_context(self._crowd(Path(at)))
            watched = {name: target.process for name, target in started.items()}
            watched |= {f"viewers {b} {v}": one.process for (b, v), one in viewers.items()}
            watched |= {"crowd": crowd}
            meter = _Cpu({**watched, **self._cluster.engines})
            meter.add("persist-2", persist.process)
            crowd.write_line("go")
            await asyncio.sleep(STOP_AT * size.seconds)
            meter.finish("persist-2")
            await asyncio.to_thread(second.close)
            await asyncio.sleep((START_AT - STOP_AT) * size.seconds)
            persist = await asyncio.to_thread(self._start_persist, second)
            meter.add("persist-2 again", persist.process)
            within = (1 - START_AT) * size.seconds + LATE_S + ANSWER_S
            await asyncio.to_thread(crowd.read_line, within=within)
            self.cpu = meter.rows()
            drained = await self._lag.drain(within=DRAIN_TIME)
            for projection, most in self._lag.most.items():
                findings.figures[f"lag of {projection}, at most"] = most
            findings.figures["drained after s"] = drained
            if drained is None:
                findings.violations.append(f"not everything was applied after {DRAIN_TIME:g} s")
            for key, one in viewers.items():
                self.saw[key] = await asyncio.to_thread(one.finish)
            await self._lag.close()
            return msgspec.msgpack.decode((Path(at) / "outcome").read_bytes(), type=Outcome)

    def _start_persist(self, stack: ExitStack) -> Target:
        return stack.enter_context(self._cluster.role("persist", core=None, env=self._env))

    @contextmanager
    def _crowd(self, folder: Path) -> Iterator[Process]:
        ports = [self._started[name].port for name in ("ingest-1", "ingest-2")]
        plan = self._size.plan(ports, self._cluster.auth_secret)
        (folder / "plan").write_bytes(msgspec.json.encode(plan))
        argv = [sys.executable, "-m", "groundswell.bench.event_crowd"]
        argv += [str(folder / "plan"), str(folder / "outcome")]
        with Process(argv) as process:
            process.read_line(within=START_TIME)
            yield process


@contextmanager
def _watching(tools: Tools, port: int, video: str, size: Size) -> Iterator[Viewers]:
    every = max(1, size.viewers // SAMPLED)
    argv = [str(tools.viewers), "--port", str(port), "--viewers", str(size.viewers)]
    argv += ["--path", f"/live/{video}/comments/stream", "--every", str(every)]
    argv += ["--seconds", f"{size.seconds + DRAIN_TIME + 60:g}"]
    argv += ["--connect-seconds", f"{CONNECT_TIME:g}"]
    with Process(argv) as process:
        process.read_line(within=CONNECT_TIME + GRACE)
        yield Viewers(process)


class _Cpu:
    """What each process used of a core, in percent of the time that it was watched."""

    def __init__(self, watched: Mapping[str, UsesCpu]) -> None:
        self._running: dict[str, tuple[UsesCpu, float, float]] = {}
        self._rows: list[dict[str, object]] = []
        for name, process in watched.items():
            self.add(name, process)

    def add(self, name: str, process: UsesCpu) -> None:
        """Begin to watch a process."""
        self._running[name] = (process, time.monotonic(), process.cpu_seconds())

    def finish(self, name: str) -> None:
        """Enter the row of a process, which still runs."""
        process, began, before = self._running.pop(name)
        elapsed = time.monotonic() - began
        used = process.cpu_seconds() - before
        share = 100 * used / elapsed
        self._rows.append({"process": name, "seconds": elapsed, "CPU s": used, "core %": share})

    def rows(self) -> list[dict[str, object]]:
        """Enter all that are left, and return all."""
        for name in list(self._running):
            self.finish(name)
        return sorted(self._rows, key=lambda row: str(row["process"]))
