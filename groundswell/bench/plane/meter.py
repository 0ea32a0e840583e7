"""Everybody's CPU and core while a figure is taken, and who of them bounds it."""

import time
from collections.abc import Mapping

from groundswell.bench.cluster import UsesCpu, core_of
from groundswell.bench.machine import core_busy_seconds
from groundswell.bench.report import FULL


class PlaneMeter:
    """Measures servers on one core and clients on another, from its creation on.

    CPU is user and system time of `/proc/PID/stat`, in steps of 10 ms.
    """

    def __init__(
        self,
        servers: Mapping[str, UsesCpu],
        clients: Mapping[str, UsesCpu],
        *,
        server_core: int | None,
        client_core: int | None,
    ) -> None:
        self._began = time.monotonic()
        self._processes = {**servers, **clients}
        self._servers = set(servers)
        self._before = {name: one.cpu_seconds() for name, one in self._processes.items()}
        self._cores = {"server": server_core, "client": client_core}
        self._core_before = {side: core_busy_seconds(core) for side, core in self._cores.items()}

    def add_client(self, name: str, process: UsesCpu) -> None:
        """Count a client that was started after the meter, from its start on."""
        self._processes[name] = process
        self._before[name] = 0.0

    def server_seconds(self) -> float:
        """Return the CPU time of all servers so far."""
        return sum(self._used(name) for name in self._servers)

    def columns(self) -> dict[str, object]:
        """Return the columns of the table for the time so far: read when a figure's time is over.

        *processes* says `name@core` and its percent of a core, of each.
        """
        elapsed = time.monotonic() - self._began
        shares = {name: 100 * self._used(name) / elapsed for name in self._processes}
        full = {
            side: 100 * (core_busy_seconds(core) - self._core_before[side]) / elapsed
            for side, core in self._cores.items()
        }
        servers = {name: share for name, share in shares.items() if name in self._servers}
        clients = {name: share for name, share in shares.items() if name not in self._servers}
        others = max(full["server"] - sum(servers.values()), full["client"] - sum(clients.values()))
        names = [f"{name}@{core_of(self._processes[name])} {n:.0f} %" for name, n in shares.items()]
        return {
            "processes": ", ".join(names),
            "others %": max(0.0, others),  # ticks are rounded differently for a core
            "bounded by": ", ".join(
                [
                    *bounds("server", {"server": sum(servers.values())}, full["server"]),
                    *bounds("client", clients, full["client"]),
                ]
            ),
        }

    def _used(self, name: str) -> float:
        return self._processes[name].cpu_seconds() - self._before[name]


def bounds(side: str, shares: Mapping[str, float], full: float) -> list[str]:
    """Return who of `shares` (percent of a core) bounds a figure; `full` is how full the core was.

    >>> bounds("client", {"viewers": 93.0, "writers": 2.0}, 97.0)
    ['viewers']
    >>> bounds("client", {"viewers": 60.0, "writers": 35.0}, 97.0)
    ['clients together']
    >>> bounds("server", {"server": 50.0}, 97.0)
    ['others on the server core']
    >>> bounds("server", {"server": 50.0}, 60.0)
    []
    """
    names = [name for name, share in shares.items() if share > FULL]
    if not names and sum(shares.values()) > FULL:
        names = [f"{side}s together"]
    if not names and full > FULL:
        names = [f"others on the {side} core"]
    return names
