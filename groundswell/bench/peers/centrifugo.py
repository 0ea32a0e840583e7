"""The peer Centrifugo: a program of the user's own, which is never part of this project.

Everybody may watch and publish, nothing is kept on disk, and nobody is pinged away: viewers that
are not parsed answer no pings, here as of the other servers. All else is its default.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process
from groundswell.bench.targets import CENTRIFUGO, START_TIME, Target, free_ports, wait_listening

VARIABLE = "BENCH_CENTRIFUGO"  # groundswell refuses names of its own that it does not know
CONFIG = {
    "client": {
        "insecure": True,
        "ping_interval": "1h",
        "pong_timeout": "10m",
    },
    "http_api": {"insecure": True},
    "channel": {
        "without_namespace": {
            "allow_subscribe_for_client": True,
            "allow_subscribe_for_anonymous": True,
        }
    },
    "log": {"level": "error"},
}


def program(named: Path | None = None) -> Path | None:
    """Return the program: the one that is named, else that of the environment, else of PATH."""
    path = named or os.environ.get(VARIABLE) or shutil.which("centrifugo")
    return Path(path) if path else None


def missing(named: Path | None = None) -> str:
    """Say what is not there; empty: nothing."""
    path = program(named)
    if path is None:
        return f"name its program by --centrifugo or {VARIABLE} (see docs/benchmarks.md)"
    return "" if os.access(path, os.X_OK) and path.is_file() else f"{path} is no program"


@contextmanager
def centrifugo(named: Path | None = None, *, core: int | None) -> Iterator[Target]:
    """Start it with a configuration of its own.

    Raises:
        ToolFailed: it is not there, or did not start.
    """
    path = program(named)
    if path is None or missing(named):
        raise ToolFailed(f"centrifugo: {missing(named)}")
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as folder:
        config = Path(folder) / "config.json"
        server = {"http_server": {"address": "127.0.0.1", "port": port}}
        config.write_text(json.dumps({**CONFIG, **server}))
        settings = {"version": _version(path), **CONFIG}
        with Process([path, "-c", str(config)], core=core, speaks=False) as process:
            wait_listening(process, port, within=START_TIME)
            yield Target("centrifugo", process, port, dialect=CENTRIFUGO, settings=settings)


def _version(path: Path) -> str:
    done = subprocess.run(  # noqa: S603 - the program that is measured, no shell
        [path, "version"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
