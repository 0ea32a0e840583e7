"""The preload shim, tried on a small program that uses Python's sqlite3."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.shim import Shim, Traced, build, judge_durability, preload_works

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="the shim needs a C compiler")

COMMENT_ID = "0192f0c1-7b8a-7001-8abc-0123456789ab"
LOG_FILES = frozenset({"log.db", "log.db-wal"})

PROGRAM = """
import os, socket, sqlite3, sys
path, mode, answer = sys.argv[1:]
peers = socket.socketpair()
db = sqlite3.connect(path, isolation_level=None)
db.execute("PRAGMA journal_mode = wal")
db.execute("PRAGMA synchronous = " + mode)
db.execute("CREATE TABLE IF NOT EXISTS rows (value)")
print("open", flush=True)
for line in sys.stdin:
    try:
        db.execute("INSERT INTO rows VALUES (?)", (line.strip(),))
    except sqlite3.Error as error:
        print(error.sqlite_errorname, flush=True)
        continue
    if answer == "send":
        peers[0].sendall(b"HTTP/1.1 201 Created\\r\\n\\r\\n")
        peers[0].sendall(line.strip().encode())
    print("ok", flush=True)
"""


class Program:
    """The small program, running under a shim: one row a line, one answer a line."""

    def __init__(self, shim: Shim, path: Path, mode: str = "FULL") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(path), mode, "send"],
            env=dict(shim.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "open\n"

    def insert(self, value: str) -> str:
        """Insert a row and return what SQLite made of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(value + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        """End the program."""
        self._process.communicate(timeout=10)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = build(tmp_path_factory.mktemp("shim"))
    assert preload_works(library)
    return library


@pytest.fixture
def shim(library: Path, tmp_path: Path) -> Iterator[Shim]:
    shim = Shim(library, watched=tmp_path / "data", scratch=tmp_path, tracing=True)
    yield shim
    shim.close()


def test_a_synced_row_is_proved_durable_before_its_answer(shim: Shim, tmp_path: Path) -> None:
    """Write, sync and answer are traced in the order in which they happened."""
    program = Program(shim, tmp_path / "data" / "log.db")
    assert program.insert(COMMENT_ID) == "ok"
    program.close()
    verdict = judge_durability(shim.trace(), log_files=LOG_FILES)
    assert (verdict.proved, verdict.too_early, verdict.never_written) == (1, [], [])
    assert [row.what for row in shim.trace() if COMMENT_ID in row.ids and row.kind == "A"] == [
        "201"
    ]


def test_a_row_without_a_sync_is_seen(shim: Shim, tmp_path: Path) -> None:
    """With `synchronous = OFF` the same program is found out."""
    program = Program(shim, tmp_path / "data" / "log.db", mode="OFF")
    assert program.insert(COMMENT_ID) == "ok"
    program.close()
    verdict = judge_durability(shim.trace(), log_files=LOG_FILES)
    assert (verdict.proved, verdict.too_early) == (0, [COMMENT_ID])


def test_an_id_that_was_never_written_is_seen() -> None:
    """An answer whose id no file got is not proved durable."""
    verdict = judge_durability([Traced(1, "A", "201", (COMMENT_ID,))], log_files=LOG_FILES)
    assert verdict.never_written == [COMMENT_ID]


def test_a_sync_that_began_before_the_write_proves_nothing() -> None:
    """Only a sync that began after the write ended covers it."""
    trace = [
        Traced(2, "W", "log.db-wal", (COMMENT_ID,)),
        Traced(3, "S", "log.db-wal", began=1),
        Traced(4, "A", "201", (COMMENT_ID,)),
    ]
    assert judge_durability(trace, log_files=LOG_FILES).too_early == [COMMENT_ID]


def test_a_full_disk_is_full_until_there_is_space(shim: Shim, tmp_path: Path) -> None:
    """Writes fail with SQLite's own error for a full disk, and work again afterwards."""
    program = Program(shim, tmp_path / "data" / "log.db")
    shim.fill_disk()
    assert program.insert("x") == "SQLITE_FULL"
    assert shim.refused_writes > 0
    shim.allow_writes()
    assert program.insert("x") == "ok"
    program.close()


def test_a_read_only_folder_refuses_writes(shim: Shim, tmp_path: Path) -> None:
    """Writes to files that are already open fail, too."""
    program = Program(shim, tmp_path / "data" / "log.db")
    shim.make_read_only()
    assert program.insert("x").startswith("SQLITE_IOERR")
    shim.allow_writes()
    assert program.insert("x") == "ok"
    program.close()


def test_a_sync_fails_once(shim: Shim, tmp_path: Path) -> None:
    """The next sync fails with EIO; the one after it works."""
    program = Program(shim, tmp_path / "data" / "log.db")
    shim.fail_syncs(1)
    assert program.insert("x") == "SQLITE_IOERR_FSYNC"
    assert shim.failed_syncs == 1
    assert program.insert("x") == "ok"
    program.close()


def test_files_elsewhere_are_left_alone(shim: Shim, tmp_path: Path) -> None:
    """Faults concern the watched folder only."""
    program = Program(shim, tmp_path / "elsewhere.db")
    shim.fill_disk()
    assert program.insert(COMMENT_ID) == "ok"
    program.close()
    assert shim.refused_writes == 0
