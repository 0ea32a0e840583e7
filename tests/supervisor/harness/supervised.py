"""A supervisor of fake workers in a process of its own. Methods block."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).parent
WITHIN = 30.0  # seconds: a busy machine says nothing about us by being slow
_DRIVE = """
import sys
from groundswell.contract.settings import ServerSettings, Settings, TelemetrySettings
from groundswell.failures import StartFailed
from groundswell.supervisor.supervisor import supervise
from groundswell.telemetry.logging import configure

fake, mode, workers, port = sys.argv[1:]
configure(TelemetrySettings(log_format="json"))
server = ServerSettings(host="127.0.0.1", port=int(port), internal_port=0, workers=int(workers))
command = [sys.executable, fake, mode] + (["--port", port] if port != "0" else [])
try:
    sys.exit(supervise(Settings(server=server), command=command))
except StartFailed as failed:
    print("start failed:", failed, file=sys.stderr)
    sys.exit(1)
"""


class Supervised:
    """`with Supervised("plain") as server`: its port and internal port are known inside."""

    def __init__(self, mode: str = "plain", *, workers: int = 2, port: int = 0) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", _DRIVE, str(HERE / "fake_worker.py")),
                *(mode, str(workers), str(port)),
            ],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # so that a test can send what a terminal sends
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def __enter__(self) -> "Supervised":
        wait_until(lambda: bool(self.events("starting workers")), "the start")
        self._start = self.events("starting workers")[0]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything that still runs."""
        pids = self.pids() if self.process.poll() is None else []
        self.process.kill()
        self.process.wait(WITHIN)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._reading.join(WITHIN)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def wait(self) -> int:
        """Wait for the end and return the exit status; all output is read then."""
        status = self.process.wait(WITHIN)
        self._reading.join(WITHIN)
        return status

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines with this event."""
        parsed = (json.loads(line) for line in self.lines if line.startswith("{"))
        return [line for line in parsed if line["event"] == event]

    def number(self) -> str:
        """Ask the public port on a new connection which worker answers."""
        return fetch(f"http://127.0.0.1:{self._start['port']}/number")[1]

    def internal(self, path: str) -> tuple[int, str]:
        """Ask the internal port."""
        return fetch(f"http://127.0.0.1:{self._start['internal_port']}{path}")

    def ready(self) -> bool:
        """Tell whether the server says that it is ready."""
        return self.internal("/ready")[0] == 200

    def workers(self) -> list[dict[str, Any]]:
        """Return what is said of each worker."""
        said: list[dict[str, Any]] = json.loads(self.internal("/ready")[1])["workers"]
        return said

    def pids(self) -> list[int]:
        """Return the processes of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines += (line.rstrip("\n") for line in self.process.stderr)


def fetch(url: str) -> tuple[int, str]:
    """GET; return status and text; (0, "") for no answer."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own server
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.02)
