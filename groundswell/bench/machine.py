"""What a figure was measured on, and how much of a core was whose."""

import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from groundswell.bench import program
from groundswell.bench.process import Process

PACKAGES = ("groundswell", "aiohttp", "uvloop", "orjson", "msgspec", "PyJWT", "websockets")
_TICKS = os.sysconf("SC_CLK_TCK")  # of /proc times, a second


def describe() -> dict[str, object]:
    """Return machine, versions and commit."""
    cpus = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in cpus if line.startswith("model name")]
    memory = Path("/proc/meminfo").read_text().splitlines()[0].split()[1]
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory) / 2**20, 1),
        "kernel": platform.release(),
        "load_average": os.getloadavg(),
        "python": sys.version.split()[0],
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit of what is measured, with `+` where files were changed.

    None: it is of no checkout.
    """
    git = ["git", "-C", str(program.folder()), "describe", "--always", "--dirty=+"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, no shell
            [*git, "--abbrev=12", "--exclude=*"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


@dataclass(frozen=True, slots=True)
class CoreUse:
    """How busy a core was, in percent of the time measured."""

    ours: float  # the processes that were measured
    others: float  # anybody else on that core: above some percent the figures are not clean


class CoreMeter:
    """Measures a running process, and the core it is pinned to, from its creation on."""

    def __init__(self, process: Process, *, core: int | None) -> None:
        self._process = process
        self._core = core
        self._start = time.monotonic()
        self._before = process.cpu_seconds()
        self._core_before = core_busy_seconds(core)

    def cpu_seconds(self) -> float:
        """Return what the process used so far."""
        return self._process.cpu_seconds() - self._before

    def use(self, *, also: float = 0.0) -> CoreUse:
        """Return the use of the core so far; `also` are CPU seconds of another process of ours."""
        elapsed = time.monotonic() - self._start
        ours = self.cpu_seconds() + also
        others = max(0.0, core_busy_seconds(self._core) - self._core_before - ours)
        return CoreUse(ours=100 * ours / elapsed, others=100 * others / elapsed)


def core_busy_seconds(core: int | None) -> float:
    """Return how long a core was not idle since boot; 0 where no core is meant."""
    if core is None:
        return 0.0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *times = line.split()
        if name == f"cpu{core}":
            # user nice system idle iowait irq softirq steal guest guest_nice; guests are in user
            busy = [int(value) for value in times[:8]]
            return (sum(busy) - busy[3] - busy[4]) / _TICKS
    return 0.0
