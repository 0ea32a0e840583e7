"""The servers that are measured, each started on its core and ready when its block is entered."""

import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from groundswell.bench.metrics import wait_ready
from groundswell.bench.native_tools import ToolFailed, Tools
from groundswell.bench.process import Process
from groundswell.bench.program import groundswell_program

VIDEO = "bench"
START_TIME = 60.0  # seconds: a busy machine gives a server little of a core


def post_path(video: str) -> str:
    """Return where comments of a video are posted."""
    return f"/live/{video}/comments"


def stream_path(video: str) -> str:
    """Return where a video is watched."""
    return f"{post_path(video)}/stream"


@dataclass(frozen=True, slots=True)
class Target:
    """A running server."""

    name: str
    process: Process
    port: int
    internal_port: int | None = None  # of /metrics, where it has one
    data: Path | None = None  # folder of its files, where it has one


StartTarget = Callable[[], AbstractContextManager[Target]]


@contextmanager
def limit(
    tools: Tools,
    *,
    core: int | None,
    rate: float,
    seconds: float,
    tick_ms: float,
    welcome_bytes: int = 0,
) -> Iterator[Target]:
    """Start the C loop. It makes up its comments itself once it is told so on stdin.

    With `welcome_bytes` every viewer gets one frame of that size first.
    """
    options = {"rate": rate, "seconds": seconds, "tick-ms": tick_ms, "welcome-bytes": welcome_bytes}
    argv = [str(tools.limit)]
    for name, value in options.items():
        argv += [f"--{name}", f"{value:g}"]
    with Process(argv, core=core) as process:
        yield Target("limit", process, _port_said(process))


@contextmanager
def peer(name: str, *, core: int | None, arguments: Sequence[str] = ()) -> Iterator[Target]:
    """Start a module of `peers/`."""
    argv = [sys.executable, "-m", f"groundswell.bench.peers.{name}", *arguments]
    with Process(argv, core=core) as process:
        yield Target(name, process, _port_said(process))


@contextmanager
def groundswell(
    *, core: int | None, secret: str, env: Mapping[str, str], data: Path | None = None
) -> Iterator[Target]:
    """Start `groundswell serve` with its data in `data`, or in a temporary folder."""
    port, internal_port = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as made:
        folder = data or Path(made)
        argv = [str(groundswell_program()), "serve", "--host", "127.0.0.1", "--port", str(port)]
        argv += ["--internal-port", str(internal_port), "--data", str(folder)]
        env = {"GROUNDSWELL_AUTH_SECRET": secret, **env}
        # Its log goes to a file: nobody here would read a pipe.
        with Process(argv, core=core, env=env, speaks=False) as process:
            wait_ready(process, internal_port, within=START_TIME)
            yield Target("groundswell", process, port, internal_port, folder)


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
