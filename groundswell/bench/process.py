"""Child processes: pinned to a core, talked to by lines, measured, and ended for certain."""

import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from groundswell.bench.native_tools import ToolFailed

STOP_TIME = 5.0  # seconds between SIGTERM and SIGKILL
_TICKS = os.sysconf("SC_CLK_TCK")  # of /proc times, a second


class Process:
    """One child of the bench. Leaving its `with` block ends it.

    Its stderr goes to a temporary file, and stdout too where `speaks` is false: a pipe that nobody
    reads would stop it. With `core` it and its threads run on that core only. With `family` its
    children are weighed with it.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        core: int | None = None,
        env: Mapping[str, str] | None = None,
        speaks: bool = True,
        family: bool = False,
    ) -> None:
        command = [str(part) for part in argv]
        self.name = Path(command[0]).name
        if core is not None:
            command = ["taskset", "-c", str(core), *command]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._popen = subprocess.Popen(  # noqa: S603 - argv is the bench's own, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if speaks else self._log,
            stderr=self._log,
            env={**os.environ, **(env or {})},
            bufsize=0,
        )
        self._unread = b""
        self._family = family

    @property
    def pid(self) -> int:
        """The child's process id (taskset replaces itself, so it is the program's own)."""
        return self._popen.pid

    def read_line(self, *, within: float) -> str:
        """Return the next line of stdout.

        Raises:
            ToolFailed: the child ended, or said nothing within so many seconds.
        """
        deadline = time.monotonic() + within
        assert self._popen.stdout is not None, "read_line needs speaks=True"  # noqa: S101 - misuse
        with selectors.DefaultSelector() as selector:
            selector.register(self._popen.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise ToolFailed(f"{self.name} said nothing for {within:g} s{self._tail()}")
                data = os.read(self._popen.stdout.fileno(), 65536)
                if not data:
                    raise ToolFailed(f"{self.name} ended{self._tail()}")
                self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def write_line(self, line: str) -> None:
        """Send one line to its stdin."""
        assert self._popen.stdin is not None  # noqa: S101 - always a pipe
        self._popen.stdin.write(line.encode() + b"\n")

    def close_stdin(self) -> None:
        """Tell a tool to finish: they all end when stdin does."""
        assert self._popen.stdin is not None  # noqa: S101 - always a pipe
        self._popen.stdin.close()

    def running(self) -> bool:
        """Tell whether it has not ended yet."""
        return self._popen.poll() is None

    def check(self) -> None:
        """Raise `ToolFailed` with its last words if it has ended."""
        if not self.running():
            raise ToolFailed(f"{self.name} ended with {self._popen.returncode}{self._tail()}")

    def cpu_seconds(self) -> float:
        """Return user and system time of all its threads since its start (10 ms steps)."""
        return sum(_cpu_seconds(pid) for pid in self._pids())

    def rss_bytes(self) -> int:
        """Return its resident memory. Kernel socket buffers are not in it."""
        self.check()
        return sum(map(rss_bytes, self._pids()))

    def _pids(self) -> list[int]:
        return [self.pid, *(children(self.pid) if self._family else ())]

    def stop(self) -> None:
        """End it: SIGTERM, after `STOP_TIME` SIGKILL. May be called again."""
        if self._popen.poll() is None:
            self._popen.terminate()
            try:
                self._popen.wait(STOP_TIME)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout, self._log):
            if pipe is not None:
                pipe.close()

    def _tail(self) -> str:
        if self._log.closed:
            return ""
        # pread: the child writes at this same file's offset, which a seek here would move.
        log = self._log.fileno()
        start = max(0, os.fstat(log).st_size - 2000)
        text = os.pread(log, 2000, start).decode(errors="replace").strip()
        return f":\n{text}" if text else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def children(pid: int) -> list[int]:
    """Return the process ids of a process's children."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process; 0: it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(lines[0].split()[1]) * 1024 if lines else 0


def _cpu_seconds(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat").read_text()
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces
    return (int(fields[11]) + int(fields[12])) / _TICKS
