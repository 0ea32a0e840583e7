"""The engines that the environment names: their processes, and what CPU they use."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import children

VARIABLES = ("KAFKA_SERVERS", "CASSANDRA_HOSTS", "ACCOUNTS_URL", "REDIS_URL")
_TICKS = os.sysconf("SC_CLK_TCK")  # of /proc times, a second
_LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine on this machine: whoever listens on its ports, with children (PostgreSQL's)."""

    name: str
    pids: tuple[int, ...]

    def cpu_seconds(self) -> float:
        """Return user and system time of its processes since their start."""
        ticks = 0
        for pid in (*self.pids, *chain.from_iterable(map(children, self.pids))):
            fields = _stat(pid)
            # utime, stime; of the listening process also cutime, cstime: children that have ended
            wanted = fields[11:15] if pid in self.pids else fields[11:13]
            ticks += sum(map(int, wanted))
        return ticks / _TICKS

    def cores(self) -> str:
        """Return the cores that it may run on, in the words of taskset: `1`, `0-1`."""
        return ",".join(dict.fromkeys(allowed_cores(pid) for pid in self.pids))


def engines_of_environment() -> dict[str, Engine]:
    """Return the engines that the environment names, by their names.

    Raises:
        ToolFailed: one is not named, or nobody listens at its address on this machine.
    """
    found = {}
    holders = dict(_holders())
    for name, ports in _ports(os.environ).items():
        pids = tuple(dict.fromkeys(holders[port] for port in ports if port in holders))
        if not pids:
            raise ToolFailed(f"nobody listens on port {ports[0]} of this machine, for {name}")
        found[name] = Engine(name, pids)
    return found


def allowed_cores(pid: int) -> str:
    """Return the cores that a process may run on; empty where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    lines = [line for line in status.splitlines() if line.startswith("Cpus_allowed_list:")]
    return lines[0].split()[1] if lines else ""


def _ports(environ: Mapping[str, str]) -> dict[str, list[int]]:
    missing = [name for name in VARIABLES if not environ.get(f"GROUNDSWELL_{name}")]
    if missing:
        raise ToolFailed(
            f"no engines: {', '.join(f'GROUNDSWELL_{name}' for name in missing)} not set; "
            'start a stack with `make stack`, then `eval "$(python3 -m deploy.local env)"`'
        )
    servers = environ["GROUNDSWELL_KAFKA_SERVERS"].split(",")
    return {
        "kafka": [int(server.rpartition(":")[2]) for server in servers],
        "cassandra": [int(environ.get("GROUNDSWELL_CASSANDRA_PORT") or 9042)],
        "postgresql": [urlsplit(environ["GROUNDSWELL_ACCOUNTS_URL"]).port or 5432],
        "redis": [urlsplit(environ["GROUNDSWELL_REDIS_URL"]).port or 6379],
    }


def _holders() -> Iterator[tuple[int, int]]:
    """Yield (port, pid) of every listening socket whose process may be looked into."""
    ports = dict(_listening())
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            for link in _open_files(folder):
                if link.startswith("socket:[") and (port := ports.get(link[8:-1])) is not None:
                    yield port, int(folder.name)


def _open_files(process: Path) -> Iterator[str]:
    """Yield what the open files of a process are, as far as it is still there and ours."""
    with contextlib.suppress(OSError):
        for link in tuple((process / "fd").iterdir()):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                yield os.readlink(link)


def _listening() -> Iterator[tuple[str, int]]:
    """Yield (inode, port) of every listening socket."""
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING:
                yield fields[9], int(fields[1].rpartition(":")[2], 16)


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name; zeros where it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["0"] * 15
