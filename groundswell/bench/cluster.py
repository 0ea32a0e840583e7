"""Split roles on the engines that the environment names, measured beside them.

with migrated_cluster() as cluster, cluster.role("ingest", core=0) as ingest:
    meter = ClusterMeter(ingest, core=0, beside={"writers": writers, **cluster.engines})
"""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from groundswell.bench.engines import Engine, allowed_cores, engines_of_environment
from groundswell.bench.machine import core_busy_seconds
from groundswell.bench.metrics import wait_ready
from groundswell.bench.namespace import namespace
from groundswell.bench.process import Process
from groundswell.bench.program import groundswell_program
from groundswell.bench.report import FULL
from groundswell.bench.targets import Target, free_ports

PARTITIONS = 16  # of a topic: enough that one video's load meets the others' costs too
ROLE_START_TIME = 60.0  # seconds: drivers and their connections on a busy machine


class UsesCpu(Protocol):
    """A client's process, or an engine."""

    def cpu_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Cluster:
    """A migrated namespace in running engines."""

    env: Mapping[str, str]  # the whole environment of every process in it
    engines: Mapping[str, Engine]

    @property
    def auth_secret(self) -> str:
        """What tokens are signed with (HS256)."""
        return self.env["GROUNDSWELL_AUTH_SECRET"]

    @property
    def ids_secret(self) -> str:
        """What comment ids are authenticated with."""
        return self.env["GROUNDSWELL_IDS_SECRET"]

    @contextmanager
    def role(
        self, name: str, *, core: int | None, env: Mapping[str, str] | None = None
    ) -> Iterator[Target]:
        """Start `ingest`, `broker`, `persist` or `serve` alone on a core; it is ready inside."""
        port, internal_port = free_ports(2)
        with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as folder:
            argv = [str(groundswell_program()), name, "--data", folder]
            argv += ["--internal-port", str(internal_port)]
            if name != "persist":  # it has no public port
                argv += ["--host", "127.0.0.1", "--port", str(port)]
            env = {**self.env, **(env or {})}
            with Process(argv, core=core, env=env, speaks=False) as process:
                wait_ready(process, internal_port, within=ROLE_START_TIME)
                yield Target(name, process, port, internal_port)


@contextmanager
def migrated_cluster(*, partitions: int = PARTITIONS) -> Iterator[Cluster]:
    """Make a namespace for one run; it is removed at the end.

    Raises:
        ToolFailed: the environment names no engines, or one of them refused.
    """
    engines = engines_of_environment()
    with namespace(partitions=partitions) as env:
        yield Cluster({**os.environ, **env}, engines)


class ClusterMeter:
    """Measures the server on its core and everybody beside it, from its creation on.

    `beside` are the clients and engines by name; `beside_core` is theirs, where they have one.
    `along` are further servers on the server's core.
    """

    def __init__(
        self,
        server: Target,
        *,
        core: int | None,
        beside: Mapping[str, UsesCpu],
        beside_core: int | None,
        along: Mapping[str, Process] | None = None,
    ) -> None:
        self._servers = {server.name: server.process, **(along or {})}
        self._core = core
        self._beside = dict(beside)
        self._beside_core = beside_core
        self._began = time.monotonic()
        self._before = {name: one.cpu_seconds() for name, one in self._servers.items()}
        self._beside_before = {name: one.cpu_seconds() for name, one in beside.items()}
        self._core_before = core_busy_seconds(core)
        self._beside_core_before = core_busy_seconds(beside_core)

    def cpu_seconds(self) -> float:
        """Return what the server used so far, all servers together."""
        return sum(one.cpu_seconds() - self._before[name] for name, one in self._servers.items())

    def shares(self) -> dict[str, float]:
        """Return what each server used so far, in percent of a core."""
        elapsed = time.monotonic() - self._began
        return {
            name: 100 * (one.cpu_seconds() - self._before[name]) / elapsed
            for name, one in self._servers.items()
        }

    def columns(self) -> dict[str, object]:
        """Return the columns of the table, for the time so far. Read once, when it is over.

        *beside* says `name@core percent` of each client and engine, and how full their core was
        with them and whoever else ran there.
        """
        elapsed = time.monotonic() - self._began
        server = 100 * self.cpu_seconds() / elapsed
        core = 100 * (core_busy_seconds(self._core) - self._core_before) / elapsed
        full = 100 * (core_busy_seconds(self._beside_core) - self._beside_core_before) / elapsed
        shares = {
            name: 100 * (one.cpu_seconds() - self._beside_before[name]) / elapsed
            for name, one in self._beside.items()
        }
        parts = [f"{name}@{core_of(self._beside[name])} {n:.0f}" for name, n in shares.items()]
        return {
            "server busy %": server,
            "beside, %": ", ".join(parts),
            "their core %": full,
            # Ticks of 10 ms are rounded differently for a process and for a core.
            "others %": max(0.0, core - server, full - sum(shares.values())),
            "bounded by": _bound(server=server, core=core, beside=full),
        }


def core_of(one: UsesCpu) -> str:
    """Return the cores that it may run on, in the words of taskset."""
    if isinstance(one, Engine):
        return one.cores()
    return allowed_cores(one.pid) if isinstance(one, Process) else "-"


def _bound(*, server: float, core: float, beside: float) -> str:
    bounds = []
    if server > FULL:
        bounds.append("server")
    elif core > FULL:
        bounds.append("others on the server core")
    if beside > FULL:
        bounds.append("client and engines")
    return ", ".join(bounds)
