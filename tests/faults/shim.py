"""Builds the preload shim, switches its faults and reads its trace.

The shim stands between a server and the C library. Its control is a page that both sides map;
its trace is a text file of one event a line, in one order for all threads:

    <sequence> W <file> <comment id>...     these ids were written to a file of the folder
    <sequence> S <file> <began>             a sync of that file ended well; it began at <began>
    <sequence> A 201|ack|other <id>...      bytes with these ids are about to leave by a socket
"""

import errno
import mmap
import os
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
_LAYOUT = struct.Struct("=QQQQIIiI")  # struct control of shim.c
_U32 = struct.Struct("=I")
_SYNCS, _REFUSED_WRITES, _FAILED_SYNCS = 8, 16, 24
_WRITE_ERRNO, _SYNC_ERRNO, _SYNC_FAILURES, _SYNC_STALL_MS = 32, 36, 40, 44


def build(folder: Path) -> Path:
    """Compile the shim into `folder` and return the library."""
    library = folder / "shim.so"
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl", "-pthread"]
    subprocess.run(command, check=True, capture_output=True)
    return library


@dataclass(frozen=True, slots=True)
class Traced:
    """One line of the trace."""

    sequence: int
    kind: str  # W, S or A
    what: str  # a file's base name, or how the bytes left
    ids: tuple[str, ...] = ()
    began: int = 0


class Shim:
    """One process's shim: give `environment` to it, then switch faults while it runs."""

    def __init__(self, library: Path, *, watched: Path, scratch: Path, tracing: bool) -> None:
        self.trace_path = scratch / "shim.trace"
        control = scratch / "shim.control"
        control.write_bytes(bytes(_LAYOUT.size))
        self._file = control.open("r+b")
        self._page = mmap.mmap(self._file.fileno(), _LAYOUT.size)
        watched.mkdir(parents=True, exist_ok=True)
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "SHIM_FOLDER": str(watched),
            "SHIM_CONTROL": str(control),
            **({"SHIM_TRACE": str(self.trace_path)} if tracing else {}),
        }

    def close(self) -> None:
        """Unmap the control page. A process that still runs keeps its own mapping."""
        self._page.close()
        self._file.close()

    def _set(self, offset: int, value: int) -> None:
        _U32.pack_into(self._page, offset, value)

    def _counter(self, offset: int) -> int:
        return int.from_bytes(self._page[offset : offset + 8], sys.byteorder)

    def fill_disk(self) -> None:
        """Let every write fail as on a full disk."""
        self._set(_WRITE_ERRNO, errno.ENOSPC)

    def make_read_only(self) -> None:
        """Let every write, and every opening for it, fail as on a read-only file system."""
        self._set(_WRITE_ERRNO, errno.EROFS)

    def allow_writes(self) -> None:
        """Let writes work again."""
        self._set(_WRITE_ERRNO, 0)

    def fail_syncs(self, times: int) -> None:
        """Let the next syncs fail with EIO; afterwards they work again."""
        self._set(_SYNC_ERRNO, errno.EIO)
        self._set(_SYNC_FAILURES, times)

    def stall_syncs(self, milliseconds: int) -> None:
        """Let every sync take so much longer; 0: no longer."""
        self._set(_SYNC_STALL_MS, milliseconds)

    @property
    def syncs(self) -> int:
        """How many syncs of watched files ended well."""
        return self._counter(_SYNCS)

    @property
    def refused_writes(self) -> int:
        """How many writes and openings were made to fail."""
        return self._counter(_REFUSED_WRITES)

    @property
    def failed_syncs(self) -> int:
        """How many syncs were made to fail."""
        return self._counter(_FAILED_SYNCS)

    def trace(self) -> list[Traced]:
        """Read the trace, in order of sequence."""
        if not self.trace_path.exists():
            return []
        with self.trace_path.open(encoding="ascii") as lines:
            return sorted((_parse(line) for line in lines), key=lambda row: row.sequence)


def _parse(line: str) -> Traced:
    sequence, kind, what, *rest = line.split()
    if kind == "S":
        return Traced(int(sequence), kind, what, began=int(rest[0]))
    return Traced(int(sequence), kind, what, ids=tuple(rest))


@dataclass(slots=True)
class Durability:
    """What a trace proves: of how many ids shown to somebody, and which were shown too early."""

    proved: int
    too_early: list[str]
    never_written: list[str]


def judge_durability(trace: list[Traced], *, log_files: frozenset[str]) -> Durability:
    """Check that each id was written and then synced before bytes with it left by a socket.

    A sync counts for a write if it began after the write ended, on the same file.
    """
    written: dict[str, tuple[int, str]] = {}  # id -> (sequence, file) of its first write
    last_sync_began: dict[str, int] = {}  # file -> latest beginning of a sync that has ended
    shown: set[str] = set()
    verdict = Durability(proved=0, too_early=[], never_written=[])
    for row in trace:
        if row.kind == "S":
            last_sync_began[row.what] = max(row.began, last_sync_began.get(row.what, 0))
        elif row.kind == "W" and row.what in log_files:
            for comment_id in row.ids:
                written.setdefault(comment_id, (row.sequence, row.what))
        elif row.kind == "A":
            for comment_id in set(row.ids) - shown:
                shown.add(comment_id)
                sequence, file = written.get(comment_id, (0, ""))
                if not sequence:
                    verdict.never_written.append(comment_id)
                elif last_sync_began.get(file, 0) > sequence:
                    verdict.proved += 1
                else:
                    verdict.too_early.append(comment_id)
    return verdict


def preload_works(library: Path) -> bool:
    """Tell whether this system runs programs with the shim at all."""
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    result = subprocess.run(
        [sys.executable, "-c", ""], env=environment, capture_output=True, check=False
    )
    return result.returncode == 0 and not result.stderr
