"""The servers that are measured, each started on its core and ready when its block is entered."""

import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from groundswell.bench.metrics import wait_ready
from groundswell.bench.native_tools import ToolFailed, Tools
from groundswell.bench.process import Process
from groundswell.bench.program import groundswell_program

VIDEO = "bench"
AUTH_SECRET = "GROUNDSWELL_AUTH_SECRET"  # noqa: S105 - the name of a variable
START_TIME = 60.0  # seconds: a busy machine gives a server little of a core


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server is watched and posted to. `{video}` stands for the video."""

    stream: str = "/live/{video}/comments/stream"
    say: str = ""  # a viewer's first message; it has joined when the answer has come
    post: str = "/live/{video}/comments"
    head: str = '{"commentText":"'  # of a post's body, before the comment's text
    tail: str = '"}'

    def stream_path(self, video: str) -> str:
        """Return where a video is watched."""
        return self.stream.replace("{video}", video)

    def hello(self, video: str) -> str:
        """Return what a viewer says first."""
        return self.say.replace("{video}", video)

    def post_path(self, video: str) -> str:
        """Return where comments of a video are posted."""
        return self.post.replace("{video}", video)

    def body_head(self, video: str) -> str:
        """Return what stands before the text in the body of a post."""
        return self.head.replace("{video}", video)


OURS = Dialect()
# Of servers that send a comment as it is posted: the fields, and so the bytes, that ours would add.
_FIELDS = (
    '{"commentID":"0192f0c1-2b3c-7d4e-8f50-0123456789ab","userID":"u00000",'
    '"timestamp":"2024-09-26T12:34:56.789Z","commentText":"'
)
COMMENTS = Dialect(head=_FIELDS)
CENTRIFUGO = Dialect(
    stream="/connection/websocket",
    say='{"connect":{},"id":1}\n{"subscribe":{"channel":"{video}"},"id":2}',
    post="/api/publish",
    head='{"channel":"{video}","data":' + _FIELDS,
    tail='"}}',
)


@dataclass(frozen=True, slots=True)
class Target:
    """A running server."""

    name: str
    process: Process
    port: int
    internal_port: int | None = None  # of /metrics, where it has one
    data: Path | None = None  # folder of its files, where it has one
    posts_port: int | None = None  # where posts do not come to `port`
    dialect: Dialect = OURS
    settings: Mapping[str, object] = field(default_factory=dict)  # what a peer was told, and is


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
        (port,) = _ports_said(process)
        yield Target("limit", process, port)


@contextmanager
def peer(
    name: str,
    *,
    core: int | None,
    arguments: Sequence[str] = (),
    dialect: Dialect = OURS,
    settings: Mapping[str, object] | None = None,
) -> Iterator[Target]:
    """Start a module of `peers/`."""
    argv = [sys.executable, "-m", f"groundswell.bench.peers.{name}", *arguments]
    with Process(argv, core=core) as process:
        port, *posts = _ports_said(process)
        yield Target(
            name,
            process,
            port,
            posts_port=posts[0] if posts else None,
            dialect=dialect,
            settings=settings or {},
        )


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
        # Its log goes to a file: nobody here would read a pipe.
        with Process(argv, core=core, env={AUTH_SECRET: secret, **env}, speaks=False) as process:
            wait_ready(process, internal_port, within=START_TIME)
            yield Target("groundswell", process, port, internal_port, folder, settings=env)


def _ports_said(process: Process) -> list[int]:
    word, *ports = process.read_line(within=START_TIME).split()
    if word != "ready" or not ports:
        raise ToolFailed(f"{process.name} said {word!r} instead of its port")
    return [int(port) for port in ports]


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on right now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def wait_listening(process: Process, port: int, *, within: float) -> None:
    """Wait until somebody listens on the port.

    Raises:
        ToolFailed: the process ended, or nobody does in time.
    """
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        process.check()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=within).close()
        except OSError:  # not yet
            time.sleep(0.02)
            continue
        return
    raise ToolFailed(f"{process.name} does not listen after {within:g} s")
