"""The servers that are measured, each started on its core and ready when its block is entered."""

import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from groundswell.bench.metrics import wait_ready
from groundswell.bench.native_tools import ToolFailed, Tools
from groundswell.bench.process import Process

VIDEO = "bench"
POST_PATH = f"/live/{VIDEO}/comments"
STREAM_PATH = f"{POST_PATH}/stream"
START_TIME = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Target:
    """A running server."""

    name: str
    process: Process
    port: int
    internal_port: int | None = None  # of /metrics, where it has one


StartTarget = Callable[[], AbstractContextManager[Target]]


@contextmanager
def limit(
    tools: Tools, *, core: int | None, rate: float, seconds: float, tick_ms: float
) -> Iterator[Target]:
    """Start the C loop. It makes up its comments itself once it is told so on stdin."""
    options = {"rate": rate, "seconds": seconds, "tick-ms": tick_ms}
    argv = [str(tools.limit)]
    for name, value in options.items():
        argv += [f"--{name}", f"{value:g}"]
    with Process(argv, core=core) as process:
        yield Target("limit", process, _port_said(process))


@contextmanager
def peer(name: str, *, core: int | None) -> Iterator[Target]:
    """Start a module of `peers/`."""
    argv = [sys.executable, "-m", f"groundswell.bench.peers.{name}"]
    with Process(argv, core=core) as process:
        yield Target(name, process, _port_said(process))


@contextmanager
def groundswell(*, core: int | None, secret: str, env: dict[str, str]) -> Iterator[Target]:
    """Start `groundswell serve` with its data in a temporary folder."""
    port, internal_port = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as folder:
        argv = [str(groundswell_program()), "serve", "--host", "127.0.0.1", "--port", str(port)]
        argv += ["--internal-port", str(internal_port), "--data", folder]
        env = {"GROUNDSWELL_AUTH_SECRET": secret, **env}
        # Its log goes to a file: nobody here would read a pipe.
        with Process(argv, core=core, env=env, speaks=False) as process:
            wait_ready(process, internal_port, within=START_TIME)
            yield Target("groundswell", process, port, internal_port)


def groundswell_program() -> Path:
    """Return the path of the command `groundswell`."""
    program = Path(sys.executable).with_name("groundswell")
    if not program.exists():
        raise ToolFailed(f"{program} is not there: install the project in this environment")
    return program


def _port_said(process: Process) -> int:
    word, port = process.read_line(within=START_TIME).split()
    if word != "ready":
        raise ToolFailed(f"{process.name} said {word!r} instead of its port")
    return int(port)


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on right now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports
