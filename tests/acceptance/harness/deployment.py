"""The system under test, as the suite sees it: addresses, tokens, and the power switch.

The tests know nothing else of it, so that the same suite runs on one embedded process and on
separate roles with real engines. Methods block; a test calls them through `asyncio.to_thread`.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import jwt

from tests.acceptance.harness.waiting import POLL_S
from tests.faults.shim import Shim

SECRET = "acceptance-tests-only-" * 3  # 66 bytes: long enough for every HMAC
COMMAND = Path(sys.executable).with_name("groundswell")
READY_WITHIN_S = 15.0
EXIT_WITHIN_S = 30.0
# The suite is about behaviour at any rate: nothing is limited, everything is shown.
OPTIONS = {
    "GROUNDSWELL_LIMITS_ENABLED": "false",
    "GROUNDSWELL_ROOM_DISPLAY_RATE": "0",
    "GROUNDSWELL_STREAM_UPLINK_MESSAGES": "100000",
}


class Deployment(Protocol):
    """A running system."""

    base_url: str  # http://host:port, without a slash
    internal_url: str
    data: Path  # the stores' folder; see `stores.py`

    def token(
        self, user: str, *, role: str = "viewer", video: str | None = None, ttl_s: float = 3600
    ) -> str:
        """Return a token that the system accepts."""
        ...

    def start(self) -> None:
        """Start and wait until it is ready."""
        ...

    def kill9(self) -> None:
        """Kill without a warning whatever takes writes."""
        ...

    def terminate(self) -> int:
        """Ask to stop, wait for the end, return the exit status."""
        ...

    def pause_persist(self) -> None:
        """Go on without the projections."""
        ...

    def resume_persist(self) -> None:
        """Let the projections catch up."""
        ...

    def ready(self) -> bool:
        """Tell whether the system says that it is ready."""
        ...

    def alive(self) -> bool:
        """Tell whether every process runs."""
        ...

    def output(self) -> str:
        """Return everything the processes printed."""
        ...


def mint(
    user: str,
    *,
    role: str = "viewer",
    video: str | None = None,
    ttl_s: float = 3600,
    secret: str = SECRET,
    algorithm: str = "HS256",
    **changes: object,
) -> str:
    """Sign a token; `changes` replace claims, a change to None removes one."""
    claims: dict[str, object | None] = {
        "sub": user,
        "role": role,
        "video": video,
        "aud": "groundswell",
        "iss": "groundswell",
        "exp": int(time.time() + ttl_s),
    }
    claims |= changes
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, secret, algorithm=algorithm)


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def fetch_status(url: str) -> tuple[int, str]:
    """GET a URL; status 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own server
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Embedded:
    """One `groundswell serve` process on the embedded engines."""

    def __init__(
        self,
        folder: Path,
        *,
        options: Mapping[str, str] | None = None,
        roles: str = "ingest,broker,persist",
    ) -> None:
        self.data = folder / "data"
        self.port, self.internal_port = free_ports(2)
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.internal_url = f"http://127.0.0.1:{self.internal_port}"
        self._options = {**OPTIONS, **(options or {})}
        self.shim: Shim | None = None
        self._roles = roles
        self._log_path = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def token(
        self, user: str, *, role: str = "viewer", video: str | None = None, ttl_s: float = 3600
    ) -> str:
        """Return a token that the server accepts."""
        return mint(user, role=role, video=video, ttl_s=ttl_s)

    def environment(self, *, faultpoint: str | None = None) -> dict[str, str]:
        """Return the whole environment of the server process."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("GROUNDSWELL_")}
        return {
            **inherited,
            "GROUNDSWELL_AUTH_SECRET": SECRET,
            **self._options,
            **(self.shim.environment if self.shim else {}),
            **({"GROUNDSWELL_FAULTPOINT": faultpoint} if faultpoint else {}),
        }

    def arguments(self) -> list[str]:
        """Return the server's command line."""
        return [
            str(COMMAND),
            "serve",
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--internal-port", str(self.internal_port)),
            *("--data", str(self.data), "--roles", self._roles),
        ]

    def start(self, *, faultpoint: str | None = None) -> None:
        """Start the server and wait until it is ready.

        With a fault point such as `log.before_commit:3` the server kills itself at its third
        pass, which may be before it is ready.
        """
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.arguments(),
                env=self.environment(faultpoint=faultpoint),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        began = time.monotonic()
        while not self.ready():
            if self._process.poll() is not None:
                if faultpoint:
                    return
                raise AssertionError(f"server exited {self._process.returncode}:\n{self.output()}")
            assert time.monotonic() - began < READY_WITHIN_S, f"never ready:\n{self.output()}"
            time.sleep(POLL_S)

    @contextlib.contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Have the server start on another port, where those who watched do not find it."""
        port, base_url = self.port, self.base_url
        (self.port,) = free_ports(1)
        self.base_url = f"http://127.0.0.1:{self.port}"
        try:
            yield
        finally:
            self.port, self.base_url = port, base_url

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The server process, running or ended."""
        assert self._process is not None, "the server was not started"
        return self._process

    def kill9(self) -> None:
        """Kill the server without a warning."""
        self.process.kill()
        self.process.wait(EXIT_WITHIN_S)

    def terminate(self) -> int:
        """Ask the server to stop, wait for its end, return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(EXIT_WITHIN_S)

    def wait_for_exit(self) -> int:
        """Wait until the server has ended by itself and return the exit status."""
        return self.process.wait(EXIT_WITHIN_S)

    def _continue_as(self, roles: str) -> None:
        assert self.terminate() == 0, self.output()
        self._roles = roles
        self.start()

    def pause_persist(self) -> None:
        """Go on in a process without `persist`."""
        self._continue_as("ingest,broker")

    def resume_persist(self) -> None:
        """Go on in a process with `persist`."""
        self._continue_as("ingest,broker,persist")

    def ready(self) -> bool:
        """Tell whether the server says that it is ready."""
        return fetch_status(f"{self.internal_url}/ready")[0] == 200

    def alive(self) -> bool:
        """Tell whether the server process runs."""
        return self._process is not None and self._process.poll() is None

    def output(self) -> str:
        """Return everything the server printed, over all its starts."""
        if not self._log_path.exists():
            return ""
        return self._log_path.read_text(errors="replace")

    def close(self) -> None:
        """End the server if it still runs."""
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(EXIT_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.kill9()


def resident_kib(pid: int) -> int:
    """Return a process's resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def run_command(
    *arguments: str, environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run `groundswell` with these arguments to its end."""
    return subprocess.run(
        [str(COMMAND), *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=EXIT_WITHIN_S,
        check=False,
    )


def tracebacks(output: str) -> list[str]:
    """Return what a server should never print, with what follows it."""
    marks = ("Traceback", "Task exception was never retrieved", "was never awaited")
    return [output[output.index(mark) :][:2000] for mark in marks if mark in output]
