"""Processes that outlive the command that started them, and pid files that cannot hit a stranger.

A pid alone is no name: the kernel gives it to somebody else once its owner is gone. A pid file
therefore holds the start time and the boot as well, and signals go through a pidfd that was opened
before both were compared.
"""

import json
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """One process, for good: pid, start time (clock ticks since boot) and boot."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """Describe the process that has this pid now; None without a live one."""
        fields = _stat(pid)
        if fields is None:
            return None
        return cls(pid=pid, started=int(fields[19]), boot=_boot())

    @classmethod
    def load(cls, pid_file: Path) -> "Process | None":
        """Read a pid file; None if it is missing, torn, or its process is gone."""
        try:
            process = cls(**json.loads(pid_file.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return process if process.is_alive() else None

    def save(self, pid_file: Path) -> None:
        """Write a pid file, in one step: a reader never sees half of it."""
        new = pid_file.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)))
        new.replace(pid_file)

    def is_alive(self) -> bool:
        """Tell whether this very process still runs; a zombie does not."""
        with suppress(ChildProcessError):  # not our child: somebody else reaps it
            os.waitpid(self.pid, os.WNOHANG)
        return Process.of(self.pid) == self

    def is_paused(self) -> bool:
        """Tell whether the process is stopped by a signal."""
        fields = _stat(self.pid)
        return fields is not None and fields[0] == "T" and self.is_alive()

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to this process and to no other; False if it is gone."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            if not self.is_alive():
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True

    def memory(self) -> int:
        """Return the resident bytes of the process, and what its descendants add to them."""
        total = _memory(self.pid, "VmRSS")
        for child in _descendants(self.pid):
            total += _memory(child, "RssAnon")  # their shared pages are counted already
        return total


def spawn(command: list[str], *, log: Path, environment: Mapping[str, str]) -> Process:
    """Start a process in a session of its own, with its output appended to `log`.

    Raises:
        OSError: the program cannot be started.
    """
    pid = os.posix_spawn(
        command[0],
        command,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        # Python ignores SIGPIPE, a shell may have us ignore SIGINT: a node begins with neither.
        setsigdef=[signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGTERM],
        setsigmask=[],
    )
    process = Process.of(pid)
    if process is None:
        raise ProcessLookupError(f"{command[0]} ended at once; see {log}")
    return process


def is_free(host: str, port: int) -> bool:
    """Tell whether nobody listens on an address."""
    with socket.socket() as listener:
        # As every engine does: connections of a predecessor that just ended are no obstacle.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
        return True


def _stat(pid: int) -> list[str] | None:
    # proc(5): the name in parentheses may hold spaces, so fields are counted from its end.
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else fields


def _boot() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _memory(pid: int, key: str) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return 0


def _descendants(pid: int) -> Iterator[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in (PROC / str(pid) / "task" / str(pid) / "children").read_text().split():
            yield int(child)
            yield from _descendants(int(child))
