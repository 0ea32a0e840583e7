"""One process a file of SQLite: a second one that writes would corrupt it."""

import os
import sys
from pathlib import Path


class FileLock:
    """A lock beside a database, held from `take` to `release` or until the process ends.

    A file of its own, `NAME.lock`, because closing any descriptor of the database would drop
    SQLite's own locks on it (POSIX). On Windows it does nothing.
    """

    def __init__(self, database: Path) -> None:
        self.database = database
        self.path = database.with_name(f"{database.name}.lock")
        self._fd: int | None = None

    def take(self) -> None:
        """Take the lock; raises `BlockingIOError` if another process has it.

        Any other `OSError` says why the file cannot be made.
        """
        if sys.platform == "win32":
            return
        import fcntl

        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise
        self._fd = fd

    def release(self) -> None:
        """Let go; does nothing without the lock."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
