"""One process of the product: started, watched, signalled, killed; its output kept."""

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.acceptance.harness.waiting import POLL_S

COMMAND = Path(sys.executable).with_name("groundswell")
EXIT_WITHIN_S = 30.0


class ServerProcess:
    """A process with an internal port; its output is appended to a file over all its starts."""

    def __init__(self, *, internal_port: int, log_path: Path) -> None:
        self.internal_url = f"http://127.0.0.1:{internal_port}"
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(self, arguments: Sequence[str], *, environment: Mapping[str, str]) -> None:
        """Start `groundswell` with these arguments; `wait_ready` comes next."""
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [str(COMMAND), *arguments],
                env=dict(environment),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_ready(self, *, within: float, may_end: bool = False) -> None:
        """Wait until it says that it is ready; `may_end`: or until it has ended."""
        began = time.monotonic()
        while not self.ready():
            if self.popen.poll() is not None:
                if may_end:
                    return
                raise AssertionError(f"server exited {self.popen.returncode}:\n{self.output()}")
            assert time.monotonic() - began < within, f"never ready:\n{self.output()}"
            time.sleep(POLL_S)

    @property
    def popen(self) -> "subprocess.Popen[bytes]":
        """The process, running or ended."""
        assert self._process is not None, "the server was not started"
        return self._process

    @property
    def pid(self) -> int:
        """The process id."""
        return self.popen.pid

    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._process is not None and self._process.poll() is None

    def ready(self) -> bool:
        """Tell whether it says that it is ready."""
        return fetch_status(f"{self.internal_url}/ready")[0] == 200

    def send(self, number: int) -> None:
        """Send it a signal; one that has ended gets none."""
        if self.alive():
            self.popen.send_signal(number)

    def kill9(self) -> None:
        """Kill it without a warning."""
        self.popen.kill()
        self.popen.wait(EXIT_WITHIN_S)

    def wait(self) -> int:
        """Wait for its end and return the exit status."""
        return self.popen.wait(EXIT_WITHIN_S)

    def close(self) -> None:
        """End it if it still runs."""
        if not self.alive():
            return
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.kill9()

    def memory_kib(self) -> int:
        """Return its resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1])

    def output(self) -> str:
        """Return everything it printed, over all its starts."""
        if not self._log_path.exists():
            return ""
        return self._log_path.read_text(errors="replace")


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


def run_command(
    *arguments: str, environment: Mapping[str, str], within: float = EXIT_WITHIN_S
) -> "subprocess.CompletedProcess[str]":
    """Run `groundswell` with these arguments to its end."""
    return subprocess.run(
        [str(COMMAND), *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


def tracebacks(output: str) -> list[str]:
    """Return what a server should never print, with what follows it."""
    marks = ("Traceback", "Task exception was never retrieved", "was never awaited")
    return [output[output.index(mark) :][:2000] for mark in marks if mark in output]
